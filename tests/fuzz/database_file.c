/* tests/fuzz/database_file.c - the file of a damaged database and its log: a byte says how many 64ths of the
 * input are the log. Whatever they hold, the walks end, and what they give stays within the row. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "metadata/sqlite_file.h"

static int see(void *arg, const struct file_row *row, berth_error *err)
{
    size_t *bytes = arg;
    (void)err;
    require(row->n <= FILE_COLUMNS_MAX);
    for (size_t i = 0; i < row->n; i++)
        for (size_t k = 0; k < row->v[i].s.n; k++)
            *bytes += (unsigned char)row->v[i].s.p[k];
    return BERTH_OK;
}

static void put(const char *path, const uint8_t *data, size_t n)
{
    CLEANUP(closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(fd >= 0 && write(fd, data, n) == (ssize_t)n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[64], log[80];
    static const struct file_shape shapes[] = {
        {NULL, true}, {NULL, false}, {"tttiT", true}, {"itdii", false}};
    berth_error err = BERTH_ERROR_INIT;
    struct db_file f;
    size_t bytes = 0;
    uint32_t root;
    if (size < 1)
        return 0;
    if (!path[0]) {
        snprintf(path, sizeof(path), "/dev/shm/berth-fuzz-%d.db", (int)getpid());
        snprintf(log, sizeof(log), "%s-wal", path);
    }
    size_t in_log = (size - 1) * (data[0] & 63) / 64;
    put(path, data + 1, size - 1 - in_log);
    if (in_log)
        put(log, data + size - in_log, in_log);
    int r = file_fold_log(path, &err);
    struct stat st;
    require(r == BERTH_OK || err.message[0]);
    if (stat(path, &st) == 0 && st.st_size <= (off_t)(16 * MIB) && file_open(path, &f, &err) == BERTH_OK) {
        for (size_t i = 0; i < COUNT(shapes); i++) {
            uint64_t bad = 0;
            for (uint32_t page = 1; page <= MIN(f.pages, 8u); page++)
                require(file_walk(&f, page, &shapes[i], see, &bytes, &bad, &err) == BERTH_OK);
            require(file_loose(&f, &shapes[i], see, &bytes, &err) == BERTH_OK);
            require(file_find_root(&f, &shapes[i], &root, &err) == BERTH_OK && root <= f.pages);
        }
        require(file_mark_free(&f, &err) == BERTH_OK);
        file_done(&f);
    }
    unlink(path);
    unlink(log);
    return 0;
}
