"""Writes a function for each public function that calls it, any of its pointers being NULL."""

import re
import sys
from pathlib import Path

# Pointers that may be NULL, beside streams (the legacy default one), parameters and callbacks.
OPTIONAL = set("""
    runcu_init:name runcu_device_open:name runcu_device_open_pci:name runcu_device_count:name
    runcu_device_set_default:device runcu_device_attribute_name:id
    runcu_context_set_current:context runcu_context_synchronize:context
    runcu_context_api_version:context
    runcu_context_priority_range:least runcu_context_priority_range:greatest
    runcu_mem_prefetch:to runcu_mem_advise:device runcu_mem_alloc_async:pool
    runcu_mempool_create:device runcu_mempool_default:device runcu_mempool_current:device
    runcu_mempool_wrap:device runcu_vmm_granularity:device runcu_physical_create:device
    runcu_physical_wrap:device runcu_physical_import:device runcu_range_reserve:device
    runcu_range_wrap:device
    runcu_range_set_access:device runcu_function_suggest_block:blocks runcu_link_add:name
    runcu_module_get_global:bytes
    runcu_link_add_library:folder runcu_link_add_program:name runcu_occupancy_get:needs
    runcu_nvjitlink_version:major runcu_nvjitlink_version:minor runcu_nvjitlink_version:path
    runcu_cache_clear:removed runcu_cache_export:entries runcu_cache_import:out
    runcu_module_reload:changed
    runcu_stream_capture_status:id runcu_graph_nodes:out runcu_graph_roots:out
    runcu_graph_edges:from runcu_graph_edges:to runcu_graph_before:out runcu_graph_after:out
    runcu_worker_path:path runcu_nvrtc_version:major runcu_nvrtc_version:minor
    runcu_nvrtc_version:path runcu_nvjitlink_version:major runcu_nvjitlink_version:minor
    runcu_nvjitlink_version:path runcu_link_add_program:name
""".split())
OPTIONAL_NAMES = {"params", "user", "after", "dir"}
# These return an int that is no status.
VALUES = {"runcu_device_is_cpu", "runcu_function_follows", "runcu_context_is_alive",
          "runcu_program_was_cached", "runcu_nvrtc_is_loaded"}
# They change what all others find.
OMITTED = {"runcu_set_log", "runcu_nvrtc_expect_fork"}
# Texts, by the names of parameters.
TEXTS = {"name": '"k"', "pci_bus_id": '"0000:00:00.0"', "source": "rig_source",
         "path": '"/nowhere/at/all"', "expression": '"k"'}
# Types of which the test has an object that it ends, and all of which it has one.
ENDED = {"runcu_" + name for name in re.findall(
    r"^    X\((\w+), ", Path(__file__).with_name("test_misuse.c").read_text(), re.M)}
KNOWN = ENDED | {"runcu_device", "runcu_node"}


def split(text):
    """The parts between the commas that stand in no parentheses."""
    parts, depth = [""], 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return [" ".join(part.split()) for part in parts]


class Parameter:
    """One parameter of one function, as its prototype has it."""

    def __init__(self, function, text):
        self.text = text
        if array := re.fullmatch(r"(.*\w) (\w+)\[\d+\]", text):
            text = f"{array[1]} *{array[2]}"
        if match := re.fullmatch(r".*\(\*(\w+)\)\(.*\)", text):
            self.type, self.name, self.is_call = "", match[1], True
        else:
            self.type, self.name = re.fullmatch(r"(.*?)(\w+)", text).groups()
            self.is_call = "_fn *" in self.type
        self.type = self.type.strip()
        self.is_pointer = self.is_call or self.type.endswith("*")
        self.is_optional = (f"{function}:{self.name}" in OPTIONAL
                            or self.name in OPTIONAL_NAMES or "_fn *" in self.type
                            or self.type in ("runcu_stream *", "const runcu_stream *"))


def functions(headers):
    """(name, return type, parameters) of each public function, and the opaque types."""
    source = "".join(path.read_text() for path in headers)
    source = re.sub(r"/\*.*?\*/", "", source, flags=re.S)
    opaque = set(re.findall(r"typedef struct (runcu_\w+) \1;", source))
    found = []
    for match in re.finditer(r"RUNCU_API\s+([^;]*?)\b(runcu_\w+)\((.*?)\);", source, re.S):
        texts = [] if match[3] == "void" else split(match[3])
        parameters = [Parameter(match[2], text) for text in texts]
        found.append((match[2], " ".join(match[1].split()), parameters))
    return found, opaque


def valid(function, parameter, index, opaque):
    """An expression for a good argument."""
    kind = parameter.type.removeprefix("const ")
    if (noun := kind.removesuffix("*").strip()) in opaque and kind.count("*") == 1:
        return f"rig_{noun}(r)" if noun in KNOWN else "rig_stranger(r, is_needed)"
    if (name := kind.removesuffix("**").strip()) in opaque:
        if name not in ENDED:
            return f"rig_room(r, {index})"
        field = name.removeprefix("runcu_")
        return f"&r->out_{field}" if parameter.name == "out" else f"(rig_{name}(r), &r->{field})"
    if parameter.is_call:
        return "NULL" if parameter.type else "rig_call"
    if kind == "runcu_box *":
        return "rig_box(r)"
    if kind == "char *":
        return TEXTS.get(parameter.name, '"k"')
    if parameter.is_pointer:
        return f"rig_room(r, {index})"
    if kind == "uint64_t":
        holder = function.removesuffix("_wrap")
        if parameter.name == "handle" and holder != function:
            return f"{holder}_handle(rig_{holder}(r))"
        return "r->address"
    return {"bytes": "8", "count": "1", "width": "8", "height": "1"}.get(parameter.name, "0")


def call(name, returns, parameters, opaque):
    """The C of one row of the table."""
    lines = [f"static int call_{name}(struct rig *r, int nulled)", "{"]
    given = [valid(name, p, i, opaque) for i, p in enumerate(parameters)]
    for i, (p, value) in enumerate(zip(parameters, given, strict=True)):
        if p.is_pointer and value != "NULL":
            given[i] = f"nulled == {i} ? NULL : {value}"
    invoked = f"{name}({', '.join(given)})"
    kinds = "".join("-" if not p.is_pointer else "o" if p.is_optional else "n" for p in parameters)
    lines.append(f'    bool is_needed = nulled >= 0 && "{kinds}"[nulled] == \'n\';')
    lines.append("    (void) r, (void) nulled, (void) is_needed;")
    is_status = returns == "int" and name not in VALUES
    lines.append(f"    return {invoked};" if is_status else f"    {invoked};\n    return 0;")
    lines.append("}")
    names = " ".join(p.name for p in parameters)
    types = " ".join(re.sub(r"const |runcu_|\W", "", p.type) for p in parameters
                     if p.type.count("*") == 1)
    row = f'    {{"{name}", call_{name}, {int(is_status)}, "{kinds}", "{names}", " {types} "}},'
    return "\n".join(lines), row


def main() -> None:
    """Read the headers named after the first argument, write the file named first."""
    found, opaque = functions([Path(name) for name in sys.argv[2:]])
    if len(found) < 250:
        raise SystemExit(f"only {len(found)} functions found in {sys.argv[2:]}")
    made = [call(*function, opaque) for function in found if function[0] not in OMITTED]
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.writelines(text + "\n" for text, _ in made)
        out.write("static const struct row rows[] = {\n")
        out.writelines(row + "\n" for _, row in made)
        out.write("};\n")


if __name__ == "__main__":
    main()
