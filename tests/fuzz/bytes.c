/* tests/fuzz/bytes.c - counts the bytes that libFuzzer hands to a target, and ends the run when there were
 * enough: FUZZ_BYTES=<n> in the environment.
 *
 * The linker puts this before the entry point (--wrap). What counts is the size of every input executed,
 * saved ones and the empty one included; nothing is counted twice within an execution, whatever the target
 * makes of it. The count is printed as "counted <bytes> bytes in <runs> runs" when the process ends. */
#include <inttypes.h>
#include <sanitizer/lsan_interface.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int __real_LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __wrap_LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t bytes, runs, enough;

static void report(void)
{
    fprintf(stderr, "counted %" PRIu64 " bytes in %" PRIu64 " runs\n", bytes, runs);
}

int __wrap_LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!runs++) {
        const char *wanted = getenv("FUZZ_BYTES");
        enough = wanted ? strtoull(wanted, NULL, 10) : 0;
        atexit(report);
    }
    bytes += size;
    int r = __real_LLVMFuzzerTestOneInput(data, size);
    if (enough && bytes >= enough) {
        report();
        _exit(__lsan_do_recoverable_leak_check() ? 1 : 0); /* exit() would look like a target that gave up */
    }
    return r;
}
