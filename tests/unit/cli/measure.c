/* tests/unit/cli/measure.c */
#include "fixture.h"

#include <fcntl.h>

#include "cli/measure.h"

#define LARGE (4 * MIB) /* many pieces */

/* So many bytes that no two pieces are alike. */
static char *make(const char *name, size_t n)
{
    char *bytes = mem_alloc(n + 1);
    CHECK(bytes);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i ^ i >> 8 ^ i >> 16);
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK_OK(io_write_all(fd, bytes, n, &test_err));
    close(fd);
    return bytes;
}

static void test_cli_measure__finds_size_and_digest_of_a_file_of_any_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,     1,         256 * KIB,         LARGE - 1,
                                   LARGE, LARGE + 1, LARGE + 256 * KIB, 5 * LARGE / 3};
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (int a = 0; a < 2; a++) {
            enum hash_algorithm algorithm = a ? HASH_SHA512 : HASH_SHA256;
            CLEANUP(freep) char *bytes = make("file", sizes[i]);
            berth_digest want, have;
            uint64_t size = 1;
            int fd = open(path_of("file"), O_RDONLY | O_CLOEXEC);
            digest_of(algorithm, bytes, sizes[i], &want);
            CHECK_OK(measure_file(fd, algorithm, &size, &have, &test_err));
            CHECK_ROW(i, size == sizes[i] && digest_eq(&want, &have));
            CHECK_OK(measure_file(fd, algorithm, NULL, &have, &test_err)); /* once more, from its beginning */
            CHECK_ROW(i, digest_eq(&want, &have) && lseek(fd, 0, SEEK_CUR) == 0);
            close(fd);
        }
}

static void test_cli_measure__says_that_a_file_cannot_be_read(void **state)
{
    (void)state;
    for (size_t n = 1; n <= LARGE; n += LARGE - 1) {
        mem_free(make("file", n));
        berth_digest digest = {.text = "untouched"};
        uint64_t size = 77;
        int fd = open(path_of("file"), O_WRONLY | O_CLOEXEC);
        CHECK_CODE(measure_file(fd, HASH_SHA256, &size, &digest, &test_err), BERTH_E_IO);
        CHECK(size == 77 && strcmp(digest.text, "untouched") == 0);
        close(fd);
    }
}

RUN_TESTS(CLI_TEST(test_cli_measure__finds_size_and_digest_of_a_file_of_any_size),
          CLI_TEST(test_cli_measure__says_that_a_file_cannot_be_read))
