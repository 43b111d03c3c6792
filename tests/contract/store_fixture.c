/* tests/contract/store_fixture.c - see store_fixture.h. */
#include "store_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>

#include "test.h"

const char *fixture_name(enum store_kind kind)
{
    static const char *const names[STORE_KINDS_] = {"fs",     "fs without sync", "fs past the cache",
                                                    "memory", "faulty over fs",  "faulty over memory"};
    return names[kind];
}

static bool on_disk(enum store_kind kind)
{
    return kind != STORE_MEMORY && kind != STORE_FAULTY_MEMORY;
}

static void make_store(struct store_fixture *f)
{
    if (on_disk(f->kind)) {
        int fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(fd >= 0);
        CHECK_OK(
            store_fs_new(fd, f->kind != STORE_FS_UNSYNCED, f->kind == STORE_FS_DIRECT, &f->s, &test_err));
    } else {
        CHECK_OK(store_memory_new(&f->s, &test_err));
    }
    if (f->kind == STORE_FAULTY_FS || f->kind == STORE_FAULTY_MEMORY)
        CHECK_OK(store_faulty_new(f->s, &f->s, &test_err));
}

void fixture_open(struct store_fixture *f, enum store_kind kind)
{
    const char *tmp = getenv("TMPDIR");
    *f = (struct store_fixture){.kind = kind};
    if (on_disk(kind)) {
        snprintf(f->dir, sizeof(f->dir), "%s/berth-store-XXXXXX", tmp ? tmp : P_tmpdir);
        assert_non_null(mkdtemp(f->dir));
    }
    make_store(f);
}

void fixture_reopen(struct store_fixture *f)
{
    if (!on_disk(f->kind))
        return;
    store_free(f->s);
    make_store(f);
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st, (void)flag, (void)at;
    return remove(path);
}

void fixture_close(struct store_fixture *f)
{
    store_free(f->s);
    if (*f->dir)
        nftw(f->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

void fixture_fill(char *p, unsigned seed, size_t from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (char)(seed + from + i);
}

void fixture_put(blob_store *s, const char *key, unsigned seed, size_t n, const char *digest)
{
    blob_writer *w;
    CLEANUP(freep) char *p = mem_alloc(n + 1);
    fixture_fill(p, seed, 0, n);
    CHECK_OK(store_create(s, key, &w, &test_err));
    CHECK_OK(store_append(w, p, n, &test_err));
    CHECK_OK(store_complete(w, digest, &test_err));
}

bool fixture_finds(blob_store *s, const char *key)
{
    blob_reader *r;
    int code = store_open(s, key, &r, &test_err);
    if (code == BERTH_OK)
        store_close(r);
    else if (code != BERTH_E_NOT_FOUND)
        fail_msg("open: %d %s", code, test_err.message);
    return code == BERTH_OK;
}

bool fixture_holds(blob_store *s, const char *key, unsigned seed, size_t n)
{
    blob_reader *r;
    CLEANUP(freep) char *want = mem_alloc(n + 1), *have = mem_alloc(n + 1);
    size_t got;
    fixture_fill(want, seed, 0, n);
    CHECK_OK(store_open(s, key, &r, &test_err));
    bool same = store_reader_size(r) == n;
    CHECK_OK(store_read(r, 0, have, n + 1, &got, &test_err));
    same = same && got == n && memcmp(have, want, n) == 0;
    store_close(r);
    return same;
}

size_t fixture_count_fds(void)
{
    size_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}
