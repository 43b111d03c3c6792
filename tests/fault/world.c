/* tests/fault/world.c - see world.h. */
#include "world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define ATTRIBUTE "user.berth.digest"

struct seed seed;
static struct world template;
static berth_arena strings;

static const struct meta_times times = {.grace_ms = GRACE_MS, .drain_ms = DRAIN_MS, .result_ms = 10000};

/* --- folders --- */

/* Memory where there is some: these tests sync a hundred thousand times, and none of it is to last. */
static void make_dir(char ret[256])
{
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
    snprintf(ret, 256, "%s/berth-fault-XXXXXX", base ? base : "/tmp");
    CHECK(mkdtemp(ret) != NULL);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static void copy_file(int from_dir, int to_dir, const char *name, mode_t mode)
{
    char piece[64 * KIB], digest[256];
    CLEANUP(closep) int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC);
    CLEANUP(closep) int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CHECK(from >= 0 && to >= 0);
    ssize_t n;
    while ((n = read(from, piece, sizeof(piece))) > 0)
        CHECK(write(to, piece, (size_t)n) == n);
    n = fgetxattr(from, ATTRIBUTE, digest, sizeof(digest));
    if (n > 0)
        CHECK(fsetxattr(to, ATTRIBUTE, digest, (size_t)n, 0) == 0);
    CHECK(fchmod(to, mode & 0777u) == 0);
}

static void copy_dir(const char *from, const char *to)
{
    DIR *dir = opendir(from);
    CHECK(dir != NULL);
    CLEANUP(closep) int to_fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (struct dirent *e; (e = readdir(dir));) {
        struct stat st;
        if (e->d_name[0] == '.')
            continue;
        CHECK(fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0);
        if (S_ISDIR(st.st_mode)) {
            char below[512], into[512];
            snprintf(below, sizeof(below), "%s/%s", from, e->d_name);
            snprintf(into, sizeof(into), "%s/%s", to, e->d_name);
            CHECK(mkdir(into, 0700) == 0);
            copy_dir(below, into);
        } else {
            copy_file(dirfd(dir), to_fd, e->d_name, st.st_mode);
        }
    }
    closedir(dir);
}

/* --- opening and closing --- */

int world_open(struct world *w, berth_error *err)
{
    struct fixture *f = &w->f;
    *f = (struct fixture){.policy = {.auto_create = true,
                                     .deletes = true,
                                     .mount_anywhere = true,
                                     .sparse = REPO_SPARSE_ALL,
                                     .inline_size = FIXTURE_INLINE,
                                     .session_ms = 2 * GRACE_MS}};
    char path[512];
    snprintf(path, sizeof(path), "%s/meta.db", w->dir);
    int r = meta_sqlite_open(path, &times, &f->m, err);
    if (r == BERTH_OK) {
        int fd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(fd >= 0);
        r = store_fs_new(fd, true, 1, &f->s, err);
    }
    if (r == BERTH_OK)
        r = repo_new(f->m, f->s, &f->policy, &f->r, err);
    if (r != BERTH_OK)
        world_close(w);
    else if (w->later)
        meta_sqlite_shift_clock(f->m, 3 * GRACE_MS);
    return r;
}

void world_close(struct world *w)
{
    struct fixture *f = &w->f;
    repo_free(f->r);
    store_free(f->s);
    if (f->m)
        f->m->ops->free(f->m);
    berth_arena_done(&f->a);
    *f = (struct fixture){.m = NULL};
}

void world_make(struct world *w, bool empty, bool damaged)
{
    *w = (struct world){.later = false};
    make_dir(w->dir);
    if (empty)
        return;
    copy_dir(template.dir, w->dir);
    if (!damaged)
        return;
    CHECK_OK(world_open(w, &test_err));
    char key[IO_KEY_SIZE], path[512];
    struct fixture *f = &w->f;
    /* the mountable blob's object is missing, and its bytes lie under another key */
    object_key(f, &seed.mountable, key);
    snprintf(path, sizeof(path), "%s/objects/%.2s/%s", w->dir, key, key);
    CHECK(unlink(path) == 0);
    blob_writer *out = NULL;
    io_random_key(key);
    CHECK_OK(store_create(f->s, key, &out, &test_err));
    CHECK_OK(store_append(out, seed.mountable_body.p, seed.mountable_body.n, &test_err));
    CHECK_OK(store_complete(out, seed.mountable.text, &test_err));
    /* the loose blob has a flipped bit */
    object_key(f, &seed.loose, key);
    snprintf(path, sizeof(path), "%s/objects/%.2s/%s", w->dir, key, key);
    CHECK(chmod(path, 0600) == 0);
    CLEANUP(closep) int fd = open(path, O_RDWR | O_CLOEXEC);
    char byte = 0;
    CHECK(fd >= 0 && pread(fd, &byte, 1, 500) == 1);
    byte ^= 4;
    CHECK(pwrite(fd, &byte, 1, 500) == 1 && fchmod(fd, 0400) == 0);
    /* an object of nobody */
    io_random_key(seed.orphan);
    CHECK_OK(store_create(f->s, seed.orphan, &out, &test_err));
    CHECK_OK(store_append(out, "abc", 3, &test_err));
    CHECK_OK(store_suspend(out, &test_err));
    world_close(w);
}

void world_age(struct world *w)
{
    CLEANUP(berth_buf_done) berth_buf sql = BERTH_BUF_INIT(64 * KIB);
    char path[512];
    sqlite3 *db = NULL;
    snprintf(path, sizeof(path), "%s/meta.db", w->dir);
    CHECK_OK(io_read_file(VERSION_1, &sql, &test_err));
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, berth_buf_cstr(&sql), NULL, NULL, NULL) == SQLITE_OK);
    CHECK(sqlite3_close(db) == SQLITE_OK);
}

void world_tear(struct world *w)
{
    static const char zeros[4096];
    char path[512];
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    snprintf(path, sizeof(path), "%s/meta.db", w->dir);
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    CHECK(sqlite3_prepare_v2(db, "SELECT rootpage FROM sqlite_schema WHERE name='tags'", -1, &st, NULL) ==
          SQLITE_OK);
    CHECK(sqlite3_step(st) == SQLITE_ROW);
    off_t page = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    CLEANUP(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    CHECK(pwrite(fd, zeros, sizeof(zeros), (page - 1) * 4096) == 4096);
}

int world_salvage(struct world *w, const struct repo_salvage_options *o, struct repo_salvage_result *ret,
                  berth_error *err)
{
    char path[512];
    blob_store *s = NULL;
    snprintf(path, sizeof(path), "%s/meta.db", w->dir);
    int fd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0);
    int r = store_fs_new(fd, true, 0, &s, err);
    if (r == BERTH_OK)
        r = repo_salvage(path, &times, s, o, ret, err);
    store_free(s);
    return r;
}

void world_remove(struct world *w)
{
    nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- the template --- */

static void fill(struct fixture *f, const char *name)
{
    berth_digest images[2];
    push_blob(f, name, STR("{}"));
    push_blob(f, name, seed.layer_body);
    berth_str image = image_text(f, &seed.config, &seed.layer, 1, ""),
              child = image_text(f, &seed.config, &seed.layer, 1, ",\"annotations\":{\"a\":\"child\"}"),
              untagged = image_text(f, &seed.config, &seed.layer, 1, ",\"annotations\":{\"a\":\"no tag\"}");
    images[0] = seed.image = digest_sha256(image);
    images[1] = seed.child = digest_sha256(child);
    seed.untagged = digest_sha256(untagged);
    berth_str index = index_text(f, images, 2, "");
    seed.index = digest_sha256(index);
    CHECK_OK(put_manifest(f, name, "old", MT_OCI_MANIFEST, image, NULL, &test_err));
    CHECK_OK(put_manifest(f, name, seed.child.text, MT_OCI_MANIFEST, child, NULL, &test_err));
    CHECK_OK(put_manifest(f, name, seed.untagged.text, MT_OCI_MANIFEST, untagged, NULL, &test_err));
    CHECK_OK(put_manifest(f, name, "multi", MT_OCI_INDEX, index, NULL, &test_err));
    berth_str more = {berth_arena_printf(&f->a,
                                         ",\"subject\":{\"mediaType\":\"" MT_OCI_MANIFEST
                                         "\",\"digest\":\"%s\",\"size\":%zu}",
                                         seed.image.text, image.n),
                      0};
    berth_str referrer = image_text(f, &seed.config, &seed.layer, 1, more.p);
    seed.referrer = digest_sha256(referrer);
    CHECK_OK(put_manifest(f, name, seed.referrer.text, MT_OCI_MANIFEST, referrer, NULL, &test_err));
}

static const char *hex_of(const berth_digest *d)
{
    return strchr(d->text, ':') + 1;
}

static void write_link(struct fixture *at, const char *below, const berth_digest *d)
{
    fixture_write(at, berth_arena_printf(&at->a, "repositories/imported/_manifests/%s/link", below), d->text,
                  strlen(d->text));
}

/* A folder of layouts, and the tree of distribution. */
static void make_trees(struct fixture *f, const char *dir)
{
    snprintf(seed.layouts, sizeof(seed.layouts), "%s.layouts", dir);
    snprintf(seed.tree, sizeof(seed.tree), "%s.tree", dir);
    struct fixture at = {.a = f->a}, tree = {.r = NULL};
    memcpy(at.dir, seed.layouts, sizeof(seed.layouts));
    memcpy(tree.dir, seed.tree, sizeof(seed.tree));
    CHECK(mkdir(at.dir, 0700) == 0 && mkdir(tree.dir, 0700) == 0);
    berth_str layer = fixture_bytes(&at, 900, 77);
    seed.imported_layer = digest_sha256(layer);
    berth_str image = image_text(&at, &seed.config, &seed.imported_layer, 1, ""),
              revision = image_text(&at, &seed.config, &seed.imported_layer, 1,
                                    ",\"annotations\":{\"a\":\"no tag\"}");
    seed.imported = digest_sha256(image);
    seed.revision = digest_sha256(revision);
    const struct {
        const berth_digest *d;
        berth_str body;
    } blobs[] = {{&seed.config, STR("{}")},
                 {&seed.imported_layer, layer},
                 {&seed.imported, image},
                 {&seed.revision, revision}};
    for (size_t i = 0; i < COUNT(blobs); i++) {
        const char *hex = hex_of(blobs[i].d);
        fixture_write(&at, berth_arena_printf(&at.a, "imported/blobs/sha256/%s", hex), blobs[i].body.p,
                      blobs[i].body.n);
        fixture_write(&tree, berth_arena_printf(&at.a, "blobs/sha256/%.2s/%s/data", hex, hex),
                      blobs[i].body.p, blobs[i].body.n);
    }
    write_link(&tree, "tags/v1/current", &seed.imported);
    write_link(&tree, berth_arena_printf(&tree.a, "revisions/sha256/%s", hex_of(&seed.imported)),
               &seed.imported);
    write_link(&tree, berth_arena_printf(&tree.a, "revisions/sha256/%s", hex_of(&seed.revision)),
               &seed.revision);
    berth_arena_done(&tree.a);
    const char *index = berth_arena_printf(&at.a,
                                           "{\"manifests\":[{\"mediaType\":\"" MT_OCI_MANIFEST
                                           "\",\"digest\":\"%s\",\"size\":%zu,\"annotations\":{"
                                           "\"org.opencontainers.image.ref.name\":\"v1\"}}]}",
                                           seed.imported.text, image.n);
    fixture_write(&at, "imported/index.json", index, strlen(index));
    fixture_write(&at, "imported/oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
    f->a = at.a;
}

void worlds_begin(void)
{
    struct fixture *f = &template.f;
    make_dir(template.dir);
    CHECK_OK(world_open(&template, &test_err));
    struct fixture keeper = {.a = strings};
    seed.layer_body = fixture_bytes(&keeper, 1000, 1);
    seed.mountable_body = fixture_bytes(&keeper, 800, 2);
    seed.part_body = fixture_bytes(&keeper, 1000, 3);
    seed.large_body = fixture_bytes(&keeper, 700, 9);
    seed.huge_body = fixture_bytes(&keeper, 5 * MIB, 4);
    seed.config = digest_sha256(STR("{}"));
    seed.layer = digest_sha256(seed.layer_body);
    fill(f, APP);
    berth_digest layers[] = {seed.layer, digest_sha256(STR("never seen"))};
    seed.manifest_body = image_text(&keeper, &seed.config, layers, 2,
                                    berth_arena_printf(&keeper.a,
                                                       ",\"subject\":{\"mediaType\":\"" MT_OCI_MANIFEST
                                                       "\",\"digest\":\"%s\",\"size\":1}",
                                                       seed.image.text));
    strings = keeper.a;
    fill(f, KEPT);
    seed.mountable = push_blob(f, SOURCE, seed.mountable_body);
    seed.loose = push_blob(f, APP, fixture_bytes(f, 1000, 5));
    CHECK_OK(repo_upload_start(f->r, STR(APP), HASH_SHA256, seed.fresh, &test_err));
    /* a session whose holder has died before it recorded anything: the next opening marks it */
    struct meta_upload died = {.algorithm = HASH_SHA256, .expires_at = INT64_MAX};
    io_random_uuid(died.id);
    io_random_key(died.key);
    CHECK_OK(f->m->ops->upload_begin(f->m, STR(APP), true, &died, &test_err));
    CHECK_OK(repo_upload_start(f->r, STR(APP), HASH_SHA256, seed.part, &test_err));
    repo_upload *u = NULL;
    uint64_t size;
    CHECK_OK(repo_upload_open(f->r, STR(APP), str_from(seed.part), NULL, &u, &test_err));
    CHECK_OK(repo_upload_append(u, seed.part_body.p, 300, &test_err));
    CHECK_OK(repo_upload_suspend(u, &size, &test_err));
    make_trees(f, template.dir);
    world_close(&template);
}

void worlds_end(void)
{
    world_remove(&template);
    nftw(seed.layouts, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    nftw(seed.tree, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    berth_arena_done(&strings);
}

/* --- what must hold --- */

static void print_problem(void *arg, const char *text)
{
    (void)arg;
    print_error("%s\n", text);
}

void world_check_kept(struct world *w, const char *what, unsigned n)
{
    struct fixture *f = &w->f;
    berth_digest old = tag_digest(f, KEPT, "old"), multi = tag_digest(f, KEPT, "multi");
    if (!digest_eq(&old, &seed.image) || !digest_eq(&multi, &seed.index))
        fail_msg("%s, failing call %u: a tag is lost", what, n);
    const berth_digest *manifests[] = {&seed.image, &seed.child, &seed.index, &seed.referrer, &seed.untagged};
    for (size_t i = 0; i < COUNT(manifests); i++)
        if (!manifest_is_there(f, KEPT, manifests[i]))
            fail_msg("%s, failing call %u: manifest %zu is lost", what, n, i);
    CHECK_STR_ROW(n, pull_blob(f, KEPT, &seed.layer), seed.layer_body);
    CHECK_STR_ROW(n, pull_blob(f, KEPT, &seed.config), STR("{}"));
    struct repo_check_options o = {.problem = print_problem};
    struct repo_check_result result;
    int r = repo_check(f->r, &o, &result, &test_err);
    if (r != BERTH_OK || result.problems)
        fail_msg("%s, failing call %u: the check says %d, %s; %zu problems", what, n, r, test_err.message,
                 (size_t)result.problems);
}

void world_check_drains(struct world *w, const char *what, unsigned n)
{
    static const char *const names[] = {APP, KEPT, SOURCE, "fresh/name", "imported"};
    struct fixture *f = &w->f;
    for (size_t i = 0; i < COUNT(names); i++)
        repo_delete(f->r, str_from(names[i]), &test_err);
    for (size_t i = 0; i < 3; i++) {
        meta_sqlite_shift_clock(f->m, 3 * GRACE_MS);
        collect(f, NULL);
    }
    struct repo_gc_result last;
    collect(f, &last);
    size_t left = count_objects(f);
    if (left || last.next_due)
        fail_msg("%s, failing call %u: %zu objects are left, the next review is at %lld", what, n, left,
                 (long long)last.next_due);
}
