/* tests/unit/repo/fixture.c - see fixture.h. */
#include "fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

static const struct meta_times times = {.grace_ms = GRACE_MS, .drain_ms = DRAIN_MS, .result_ms = 10000};

void fixture_init(struct fixture *f, enum fixture_store store)
{
    *f = (struct fixture){
        .policy = {.auto_create = true,
                   .deletes = true,
                   .mount_anywhere = true,
                   .inline_size = FIXTURE_INLINE,
                   .session_ms = SESSION_MS},
    };
    const char *database = ":memory:";
    if (store == FIXTURE_FS)
        database = berth_arena_printf(&f->a, "%s/meta.db", fixture_dir(f));
    CHECK_OK(meta_sqlite_open(database, &times, &f->m, &test_err));
    if (store == FIXTURE_FS) {
        int fd = open(fixture_dir(f), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(fd >= 0);
        CHECK_OK(store_fs_new(fd, false, 0, &f->s, &test_err));
    } else {
        CHECK_OK(store_memory_new(&f->s, &test_err));
    }
    if (store == FIXTURE_FAULTY)
        CHECK_OK(store_faulty_new(f->s, &f->s, &test_err));
    CHECK_OK(repo_new(f->m, f->s, &f->policy, &f->r, &test_err));
}

void fixture_restart(struct fixture *f)
{
    repo_free(f->r);
    f->m->ops->free(f->m);
    const char *database = berth_arena_printf(&f->a, "%s/meta.db", fixture_dir(f));
    CHECK_OK(meta_sqlite_open(database, &times, &f->m, &test_err));
    CHECK_OK(repo_new(f->m, f->s, &f->policy, &f->r, &test_err));
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void fixture_done(struct fixture *f)
{
    repo_free(f->r);
    store_free(f->s);
    f->m->ops->free(f->m);
    berth_arena_done(&f->a);
    if (f->dir[0])
        nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void fixture_set_policy(struct fixture *f)
{
    CHECK_OK(repo_set_policy(f->r, &f->policy, &test_err));
}

const char *fixture_dir(struct fixture *f)
{
    if (!f->dir[0]) {
        const char *tmp = getenv("TMPDIR");
        snprintf(f->dir, sizeof(f->dir), "%s/berth-repo-XXXXXX", tmp ? tmp : "/tmp");
        CHECK(mkdtemp(f->dir) != NULL);
    }
    return f->dir;
}

void fixture_write(struct fixture *f, const char *path, const void *body, size_t n)
{
    char *full = berth_arena_printf(&f->a, "%s/%s", fixture_dir(f), path);
    char *slash = strrchr(full, '/');
    *slash = '\0';
    CHECK_OK(io_mkdirs(full, 0700, &test_err));
    *slash = '/';
    int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK_OK(io_write_all(fd, body, n, &test_err));
    close(fd);
}

berth_str fixture_bytes(struct fixture *f, size_t n, unsigned seed)
{
    char *p = berth_arena_alloc(&f->a, n + 1);
    uint32_t x = seed * 2654435761u + 12345;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        p[i] = (char)(x >> 24);
    }
    return (berth_str){p, n};
}

berth_digest digest_sha256(berth_str s)
{
    berth_digest d;
    digest_of(HASH_SHA256, s.p, s.n, &d);
    return d;
}

int try_push_blob(struct fixture *f, const char *name, const berth_digest *d, berth_str body,
                  berth_error *err)
{
    repo_upload *u = NULL;
    int rc = repo_upload_single(f->r, str_from(name), d, &u, err);
    for (size_t at = 0; rc == BERTH_OK && at < body.n; at += 100)
        rc = repo_upload_append(u, body.p + at, MIN((size_t)100, body.n - at), err);
    if (rc == BERTH_OK)
        return repo_upload_finish(u, d, err);
    repo_upload_abandon(u);
    return rc;
}

berth_digest push_blob(struct fixture *f, const char *name, berth_str body)
{
    berth_digest d = digest_sha256(body);
    CHECK_OK(try_push_blob(f, name, &d, body, &test_err));
    return d;
}

bool was_finished(struct fixture *f, berth_str name, const char *id, const berth_digest *d)
{
    bool ret = false;
    return repo_upload_was_finished(f->r, name, str_from(id), d, &ret, NULL) == BERTH_OK && ret;
}

bool blob_is_there(struct fixture *f, const char *name, const berth_digest *d)
{
    struct repo_blob b;
    return repo_blob_open(f->r, str_from(name), d, false, &f->a, &b, NULL) == BERTH_OK;
}

berth_str pull_blob(struct fixture *f, const char *name, const berth_digest *d)
{
    struct repo_blob b;
    CHECK_OK(repo_blob_open(f->r, str_from(name), d, true, &f->a, &b, &test_err));
    if (!b.reader) {
        assert_int_equal(b.body.n, b.size);
        return b.body;
    }
    char *p = berth_arena_alloc(&f->a, b.size + 1);
    size_t n = 0;
    CHECK_OK(store_read(b.reader, 0, p, b.size, &n, &test_err));
    assert_int_equal(n, b.size);
    store_close(b.reader);
    return (berth_str){p, n};
}

berth_str image_text(struct fixture *f, const berth_digest *config, const berth_digest *layers, size_t n,
                     const char *more)
{
    berth_buf b = BERTH_BUF_INIT(MIB);
    berth_buf_addf(&b,
                   "{\"schemaVersion\":2,\"mediaType\":\"" MT_OCI_MANIFEST "\",\"config\":{\"mediaType\":"
                   "\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":2},\"layers\":[",
                   config->text);
    for (size_t i = 0; i < n; i++)
        berth_buf_addf(&b,
                       "%s{\"mediaType\":\"application/"
                       "vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"%s\",\"size\":1000}",
                       i ? "," : "", layers[i].text);
    berth_buf_addf(&b, "]%s}", more);
    berth_str s = berth_arena_str(&f->a, berth_buf_str(&b));
    berth_buf_done(&b);
    return s;
}

berth_str index_text(struct fixture *f, const berth_digest *children, size_t n, const char *more)
{
    static const char *const architectures[] = {"amd64", "arm64", "riscv64"};
    berth_buf b = BERTH_BUF_INIT(MIB);
    berth_buf_addf(&b, "{\"schemaVersion\":2,\"mediaType\":\"" MT_OCI_INDEX "\",\"manifests\":[");
    for (size_t i = 0; i < n; i++)
        berth_buf_addf(&b,
                       "%s{\"mediaType\":\"" MT_OCI_MANIFEST "\",\"digest\":\"%s\",\"size\":500,"
                       "\"platform\":{\"os\":\"linux\",\"architecture\":\"%s\"}}",
                       i ? "," : "", children[i].text, architectures[i % COUNT(architectures)]);
    berth_buf_addf(&b, "]%s}", more);
    berth_str s = berth_arena_str(&f->a, berth_buf_str(&b));
    berth_buf_done(&b);
    return s;
}

int put_manifest(struct fixture *f, const char *name, const char *reference, const char *type, berth_str body,
                 struct repo_manifest_stored *ret, berth_error *err)
{
    struct repo_manifest_stored stored;
    struct repo_manifest_put put = {.name = str_from(name), .content_type = str_from(type), .body = body};
    CHECK_OK(oci_reference_parse(str_from(reference), &put.reference, &test_err));
    stored = (struct repo_manifest_stored){0};
    int rc = repo_manifest_put(f->r, &put, &f->a, &stored, err);
    if (ret)
        *ret = stored;
    return rc;
}

berth_digest push_image(struct fixture *f, const char *name, const char *reference, unsigned seed)
{
    berth_digest config = push_blob(f, name, STR("{}"));
    berth_digest layer = push_blob(f, name, fixture_bytes(f, 1000, seed));
    berth_str text = image_text(f, &config, &layer, 1, "");
    berth_digest d = digest_sha256(text);
    CHECK_OK(put_manifest(f, name, reference ? reference : d.text, MT_OCI_MANIFEST, text, NULL, &test_err));
    return d;
}

berth_digest tag_digest(struct fixture *f, const char *name, const char *tag)
{
    oci_reference ref = {.tag = str_from(tag)};
    struct oci_stored m = {.digest = {.text = ""}};
    repo_manifest_get(f->r, str_from(name), &ref, false, &f->a, &m, NULL);
    return m.digest;
}

bool manifest_is_there(struct fixture *f, const char *name, const berth_digest *d)
{
    oci_reference ref = {.is_digest = true, .digest = *d};
    struct oci_stored m;
    return repo_manifest_get(f->r, str_from(name), &ref, false, &f->a, &m, NULL) == BERTH_OK;
}

static int count_one(void *arg, const char *key, uint64_t size, const char *digest)
{
    (void)key;
    (void)size;
    (void)digest;
    ++*(size_t *)arg;
    return BERTH_OK;
}

size_t count_objects(struct fixture *f)
{
    size_t n = 0;
    CHECK_OK(store_list(f->s, count_one, &n, &test_err));
    return n;
}

void collect(struct fixture *f, struct repo_gc_result *ret)
{
    struct repo_gc_result result;
    CHECK_OK(repo_gc(f->r, NULL, ret ? ret : &result, &test_err));
}

void object_key(struct fixture *f, const berth_digest *d, char ret[IO_KEY_SIZE])
{
    struct meta_blob_row *rows = NULL;
    size_t n = 0;
    memset(ret, 0, IO_KEY_SIZE);
    CHECK_OK(f->m->ops->blobs_page(f->m, STR(""), 1000, &f->a, &rows, &n, &test_err));
    for (size_t i = 0; i < n; i++)
        if (str_eq(rows[i].digest, digest_str(d)))
            memcpy(ret, rows[i].key, IO_KEY_SIZE);
}

static void print_problem(void *arg, const char *text)
{
    (void)arg;
    print_error("%s\n", text);
}

void check_consistent(struct fixture *f)
{
    struct repo_check_options o = {.problem = print_problem};
    struct repo_check_result result;
    CHECK_OK(repo_check(f->r, &o, &result, &test_err));
    assert_int_equal(result.problems, 0);
}
