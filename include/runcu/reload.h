/** Code that follows: its source file, as it is changed while the program runs, and the context
 * that is current. A module that follows stands for other ones, its kernels too, which are found at
 * each launch and at each call that names a kernel or a variable. Modules that do not follow pay
 * nothing for it. Thread-safety: safe. */
#ifndef RUNCU_RELOAD_H
#define RUNCU_RELOAD_H

#include "launch.h"
#include "variable.h"

RUNCU_BEGIN

/** Compiles the file `path` and loads it into the current context. Headers beside it are found;
 * `params->name` is not looked at. ERROR_SYSTEM: it cannot be read. */
RUNCU_API int runcu_module_compile_file(runcu_module **out, const char *path,
                                        const runcu_program_params *params);

/** From now on the module of runcu_module_compile_file follows its file and what that includes:
 * what is launched, got or looked up next is of their newest state, and kernels that are asked for
 * from now on follow as well. They are looked at no more often than every `interval` milliseconds
 * (0: 100), by the thread that launches, and it alone waits for the compiler: others launch what
 * there is. Code that does not compile is reported to the log as a warning, once, and the code
 * before it stays; so it does while a file is missing, as it may be for a moment when an editor
 * saves. Variables of new code have their initial values. All code that was ever current stays
 * loaded until the module ends. ERROR_ARGUMENT: the module does not come from a file, which a
 * source does whose name in runcu_program_params is a path. */
RUNCU_API int runcu_module_watch(runcu_module *module, unsigned interval);
/** Looks at the files now, whether or not they are watched, and compiles them if they have changed
 * since they were compiled last. *changed (NULL: not asked for): 1 if there is new code. Unlike the
 * launch of a watched module it fails where the code does not compile. */
RUNCU_API int runcu_module_reload(runcu_module *module, int *changed);
/** Writes why the newest state of the files is not what runs, nothing if it is. `write` is called
 * at most once. */
RUNCU_API int runcu_module_reload_error(const runcu_module *module, runcu_print_fn *write,
                                        void *user);

/** From now on the module serves every context, with the kernels that are asked for from now on:
 * where it is used in another one than it was loaded
 * into, it is loaded there, once, by the first call that needs it. Each context has variables of
 * its own. For a device that its code does not fit, its source is compiled. */
RUNCU_API int runcu_module_follow_context(runcu_module *module);

/** 1: it was asked of a module that follows. */
RUNCU_API int runcu_function_follows(const runcu_function *function);
/** What a launch of `function` launches now: itself, unless its module follows. *out lives as long
 * as `function`. ERROR_NAME: the newest code has no such kernel. */
RUNCU_API int runcu_function_newest(runcu_function **out, runcu_function *function);

RUNCU_END

#endif
