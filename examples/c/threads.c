/* Several threads in one context: each has a stream and data of its own, all of them launch the
 * same kernel. Nothing needs a lock.
 *
 * Build: cc -pthread threads.c $(pkg-config --cflags --libs runcu) */
#include <pthread.h>
#include <runcu/runcu.h>
#include <stdio.h>

enum { THREADS = 4, N = 1000, ROUNDS = 10 };

static const char source[] = "__global__ void step(int *x, int by, int n)\n"
                             "{\n"
                             "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
                             "    if (i < n)\n"
                             "        x[i] += by;\n"
                             "}\n";

struct worker {
    pthread_t thread;
    runcu_context *context; /* that of the main thread */
    runcu_function *step;
    int number, failed;
    char message[200]; /* the error's text is the thread's own, and ends with it */
};

/* All values become `number` times ROUNDS. */
static int count(struct worker *worker, runcu_stream **stream, runcu_mem **x)
{
    int values[N] = {0};
    if (runcu_context_set_current(worker->context) || runcu_stream_create(stream, 1, 0) ||
        runcu_mem_alloc(x, sizeof values) ||
        runcu_copy_htod(runcu_mem_address(*x), values, sizeof values))
        return 1;
    for (int i = 0; i < ROUNDS; i++)
        if (runcu_launch(worker->step, runcu_on(RUNCU_THREADS(N), *stream, 0), *x, worker->number,
                         N))
            return 1;
    if (runcu_stream_synchronize(*stream) ||
        runcu_copy_dtoh(values, runcu_mem_address(*x), sizeof values))
        return 1;
    for (int i = 0; i < N; i++)
        if (values[i] != worker->number * ROUNDS)
            return 1;
    return 0;
}

static void *work(void *user)
{
    struct worker *worker = (struct worker *) user;
    runcu_stream *stream = NULL;
    runcu_mem *x = NULL;
    worker->failed = count(worker, &stream, &x);
    snprintf(worker->message, sizeof worker->message, "%s", runcu_error_text());
    runcu_mem_free(&x);
    runcu_stream_destroy(&stream);
    return NULL;
}

/* Starts all threads and waits for them; how many went wrong. */
static int run(runcu_context *context, runcu_function *step)
{
    struct worker workers[THREADS] = {0};
    int started = 0, failed = 0;
    for (; started < THREADS; started++) {
        workers[started].context = context;
        workers[started].step = step;
        workers[started].number = started + 1;
        if (pthread_create(&workers[started].thread, NULL, work, &workers[started]))
            break;
    }
    for (int i = 0; i < started; i++) {
        pthread_join(workers[i].thread, NULL);
        failed += workers[i].failed;
        printf("thread %d: %s\n", i + 1, workers[i].failed ? workers[i].message : "right");
    }
    return failed + THREADS - started;
}

int main(void)
{
    runcu_context *context = NULL; /* borrowed */
    runcu_module *module = NULL;
    runcu_function *step = NULL;
    int failed = runcu_context_current(&context) || runcu_module_compile(&module, source, NULL) ||
                 runcu_module_get_function(&step, module, "step");
    if (failed)
        fprintf(stderr, "%s\n", runcu_error_text());
    else
        failed = run(context, step);
    runcu_function_release(&step);
    runcu_module_release(&module);
    return failed != 0;
}
