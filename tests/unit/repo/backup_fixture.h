/* tests/unit/repo/backup_fixture.h - a backup of a fixture's registry, what was told of it, and objects with
 * other bytes than they should have. */
#ifndef REPO_BACKUP_FIXTURE_H
#define REPO_BACKUP_FIXTURE_H

#include "fixture.h"

#define NAME "team/app"

struct heard {
    char text[4096]; /* all lines */
    size_t n;
};

static UNUSED void hear(void *arg, const char *text)
{
    struct heard *h = arg;
    h->n += (size_t)snprintf(h->text + h->n, sizeof(h->text) - h->n, "%s\n", text);
    assert_true(h->n < sizeof(h->text));
}

/* A backup in memory but for its database. */
struct target {
    blob_store *s;
    char *database;
    struct heard heard;
    struct repo_backup_result res;
};

static UNUSED void target_init(struct fixture *f, struct target *t)
{
    *t = (struct target){.database = berth_arena_printf(&f->a, "%s/backup.db", fixture_dir(f))};
    CHECK_OK(store_memory_new(&t->s, &test_err));
}

static UNUSED void target_done(struct target *t)
{
    unlink(t->database);
    store_free(t->s);
}

static UNUSED int back_up(struct fixture *f, struct target *t, bool verify)
{
    struct repo_backup_options o = {.verify = verify, .problem = hear, .arg = &t->heard};
    t->heard.n = 0;
    t->heard.text[0] = '\0';
    unlink(t->database);
    return repo_backup(f->r, t->database, t->s, &o, &t->res, &test_err);
}

static UNUSED int count_one(void *arg, const char *key, uint64_t size, const char *digest)
{
    (void)key, (void)size, (void)digest;
    ++*(size_t *)arg;
    return BERTH_OK;
}

static UNUSED size_t count_in(blob_store *s)
{
    size_t n = 0;
    CHECK_OK(store_list(s, count_one, &n, &test_err));
    return n;
}

/* An object with these bytes under a key of another's choosing. */
static UNUSED void plant(blob_store *s, const char *key, berth_str body, bool whole)
{
    blob_writer *w = NULL;
    CHECK_OK(store_remove(s, key, &test_err));
    CHECK_OK(store_create(s, key, &w, &test_err));
    CHECK_OK(store_append(w, body.p, body.n, &test_err));
    CHECK_OK(whole ? store_complete(w, "", &test_err) : store_suspend(w, &test_err));
}

#endif
