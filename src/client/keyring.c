/* client/keyring.c - see keyring.h. */
#include "client/keyring.h"

#include "client/helper.h"
#include "client/internal.h"
#include "util/clock.h"
#include "util/io.h"

#define FILE_MAX   (4 * MIB)
#define KEEP_MS    300000 /* what a helper said */
#define KEEP_NO_MS 5000   /* that it has nothing */

struct keyring_given {
    berth_str place;
    enum auth_privilege may;
    auth_credentials c;
};

/* A helper that is asked for a server, or was. */
struct keyring_run {
    struct keyring_run *next;
    struct keyring *keyring;
    char *name, *server;
    struct child child;
    struct watch watch;
    bool running, telling; /* telling: those who waited */
    struct lookup *waiting;
    berth_arena arena;
    auth_credentials found;
    int code;
    berth_error err;
    int64_t until_ms;
};

/* --- birth and death --- */

static berth_str keep(struct keyring *k, const char *s, bool *ok)
{
    berth_str copy = berth_arena_str(&k->arena, s ? str_from(s) : STR(""));
    *ok &= copy.p != NULL;
    return copy;
}

static enum auth_privilege privilege_of(berth_privilege p)
{
    return p == BERTH_PRIVILEGE_READ ? AUTH_READ : p == BERTH_PRIVILEGE_WRITE ? AUTH_WRITE : AUTH_ALL;
}

static bool keep_given(struct keyring *k, const berth_credential *const *given)
{
    bool ok = true;
    while (given && given[k->n_given])
        k->n_given++;
    k->given = berth_arena_alloc(&k->arena, k->n_given * sizeof(*k->given) + 1);
    for (size_t i = 0; ok && k->given && i < k->n_given; i++) {
        berth_credential c = BERTH_CREDENTIAL_INIT;
        memcpy(&c, given[i], MIN(given[i]->size, sizeof(c)));
        k->given[i] = (struct keyring_given){keep(k, c.place, &ok),
                                             privilege_of(c.privilege),
                                             {keep(k, c.username, &ok), keep(k, c.password, &ok),
                                              keep(k, c.identity_token, &ok), keep(k, c.bearer_token, &ok)}};
    }
    return ok && k->given;
}

static bool keep_files(struct keyring *k, const char *first, const char *const *files)
{
    bool ok = true;
    size_t n = 0;
    while (files && files[n])
        n++;
    k->files = berth_arena_alloc(&k->arena, (n + 1) * sizeof(*k->files));
    if (!k->files)
        return false;
    if (first)
        k->files[k->n_files++] = keep(k, first, &ok).p;
    for (size_t i = 0; i < n; i++)
        k->files[k->n_files++] = keep(k, files[i], &ok).p;
    return ok;
}

int keyring_init(struct keyring *k, const berth_client_options *opts, berth_error *err)
{
    berth_credentials_options o = BERTH_CREDENTIALS_OPTIONS_INIT;
    if (opts->credentials)
        memcpy(&o, opts->credentials, MIN(opts->credentials->size, sizeof(o)));
    bool ok = true;
    k->own = (auth_credentials){.username = keep(k, opts->username, &ok),
                                .password = keep(k, opts->password, &ok)};
    k->helpers = o.helpers;
    k->timeout_ms = o.helper_timeout_ms;
    k->warn = o.warn;
    k->warn_arg = o.warn_arg;
    if (!ok || !keep_given(k, o.given) || !keep_files(k, opts->credentials_file, o.files))
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    return BERTH_OK;
}

bool keyring_has_bearer(const struct keyring *k)
{
    for (size_t i = 0; i < k->n_given; i++)
        if (k->given[i].c.registry_token.n)
            return true;
    return false;
}

static void run_stop(struct keyring_run *run)
{
    if (run->running)
        transport_unwatch(run->keyring->transport, &run->watch);
    run->running = false;
    child_done(&run->child);
}

static void run_free(struct keyring_run *run)
{
    run_stop(run);
    berth_arena_done(&run->arena);
    mem_free(run->name);
    mem_free(run->server);
    mem_free(run);
}

void keyring_done(struct keyring *k)
{
    for (struct keyring_run *run = k->runs, *next; run; run = next) {
        next = run->next;
        run_free(run);
    }
    berth_arena_done(&k->arena);
}

void keyring_forget(struct keyring *k)
{
    for (struct keyring_run *run = k->runs; run; run = run->next)
        run->until_ms = 0;
}

/* --- helpers --- */

static void resume(struct lookup *l);

static void run_end(struct keyring_run *run)
{
    run->code = helper_judge(&run->child, str_from(run->name), &run->err);
    if (run->code == BERTH_OK) {
        run->code = auth_helper_read(berth_buf_str(&run->child.said), &run->arena, &run->found, &run->err);
        if (run->code != BERTH_OK)
            berth_error_prefix(&run->err, "the helper '%s'", run->name);
    }
    run_stop(run);
    int64_t keep_ms = run->code == BERTH_OK ? KEEP_MS : run->code == BERTH_E_NOT_FOUND ? KEEP_NO_MS : 0;
    run->until_ms = clock_mono_ms() + keep_ms;
    run->telling = true;
    for (struct lookup *l; (l = run->waiting);) {
        run->waiting = l->next;
        resume(l);
    }
    run->telling = false;
}

static void on_ready(struct watch *w)
{
    struct keyring_run *run = CONTAINER_OF(w, struct keyring_run, watch);
    if (child_step(&run->child))
        run_end(run);
}

/* That is under way, or whose answer still holds; those that do not are dropped on the way. */
static struct keyring_run *run_find(struct keyring *k, berth_str name, berth_str server)
{
    int64_t now = clock_mono_ms();
    struct keyring_run *found = NULL;
    for (struct keyring_run **at = &k->runs, *run; (run = *at);) {
        if (!run->running && !run->telling && run->until_ms <= now) {
            *at = run->next;
            run_free(run);
            continue;
        }
        if (str_eq(str_from(run->name), name) && str_eq(str_from(run->server), server) &&
            (run->running || run->until_ms > now))
            found = run;
        at = &run->next;
    }
    return found;
}

static int run_start(struct keyring *k, berth_str name, berth_str server, struct keyring_run **ret,
                     berth_error *err)
{
    struct keyring_run *run = mem_zalloc(1, sizeof(*run));
    if (!run)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    *run = (struct keyring_run){
        .keyring = k, .name = str_dup(name), .server = str_dup(server), .child = CHILD_INIT};
    int r = run->name && run->server ? helper_start(&run->child, name, "get", server, k->timeout_ms, err)
                                     : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    if (r == BERTH_OK) {
        run->watch = (struct watch){.fd = child_fd(&run->child), .ready = on_ready};
        r = transport_watch(k->transport, &run->watch, err);
        run->running = r == BERTH_OK;
    }
    if (r != BERTH_OK) {
        run_free(run);
        return r;
    }
    run->next = k->runs;
    k->runs = run;
    *ret = run;
    return BERTH_OK;
}

/* --- looking --- */

static bool copy(berth_arena *arena, auth_credentials *to, const auth_credentials *from)
{
    const berth_str *const in[] = {&from->username, &from->password, &from->identity_token,
                                   &from->registry_token};
    berth_str *const out[] = {&to->username, &to->password, &to->identity_token, &to->registry_token};
    bool ok = true;
    for (size_t i = 0; i < COUNT(in); i++) {
        *out[i] = berth_arena_str(arena, in[i]->n ? *in[i] : STR(""));
        ok &= out[i]->p != NULL;
    }
    return ok;
}

static int fail(struct lookup *l, int code)
{
    berth_error_prefix(&l->err, "%s", l->keyring->files[l->file]);
    l->err.code = code;
    return code;
}

/* What the file's helper said, or why it couldn't. BERTH_E_NOT_FOUND: the file's own entry is next. */
static int take_answer(struct lookup *l, int code, const auth_credentials *found, const berth_error *why)
{
    const struct keyring *k = l->keyring;
    if (code == BERTH_OK)
        return copy(&l->arena, &l->found, found) ? BERTH_OK
                                                 : berth_error_set(&l->err, BERTH_E_NOMEM, "out of memory");
    if (code == BERTH_E_NOT_FOUND)
        return code;
    if (k->helpers == BERTH_HELPERS_WARN) {
        if (k->warn)
            k->warn(k->warn_arg, why->message);
        return BERTH_E_NOT_FOUND;
    }
    l->err = *why;
    return fail(l, code);
}

/* The file's own entry, when its helper has nothing. */
static int take_entry(struct lookup *l)
{
    return l->in_file == BERTH_OK || l->in_file == BERTH_E_NOT_FOUND ? l->in_file : fail(l, l->in_file);
}

/* BERTH_E_BUSY: it waits for a helper. BERTH_E_NOT_FOUND: the next file. */
static int look_into(struct lookup *l)
{
    struct keyring *k = l->keyring;
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(FILE_MAX);
    berth_str name = STR(""), server = STR("");
    auth_credentials entry = {0};
    int r = io_read_file(k->files[l->file], &text, &l->err);
    if (r != BERTH_OK)
        return r;
    l->in_file = auth_credentials_find(berth_buf_str(&text), &l->target, &l->arena, &entry, &l->err);
    if (l->in_file == BERTH_OK)
        l->found = entry;
    bool asks = k->helpers != BERTH_HELPERS_OFF &&
                !(k->helpers == BERTH_HELPERS_STATIC_FIRST && l->in_file == BERTH_OK);
    if (asks && l->in_file != BERTH_E_INVALID) {
        r = auth_credentials_helper(berth_buf_str(&text), l->target.host, &l->arena, &name, &server, &l->err);
        if (r != BERTH_OK)
            return fail(l, r);
    }
    if (!name.n)
        return take_entry(l);
    struct keyring_run *run = run_find(k, name, server);
    berth_error err = BERTH_ERROR_INIT;
    r = run ? BERTH_OK : run_start(k, name, server, &run, &err);
    if (r == BERTH_OK && run->running) {
        l->run = run;
        l->next = run->waiting;
        run->waiting = l;
        return BERTH_E_BUSY;
    }
    r = run ? take_answer(l, run->code, &run->found, &run->err) : take_answer(l, r, NULL, &err);
    return r == BERTH_E_NOT_FOUND ? take_entry(l) : r;
}

/* From the present file on, unless @r is the last word on it. True: over. */
static bool look(struct lookup *l, int r)
{
    while (r == BERTH_E_NOT_FOUND && ++l->file < l->keyring->n_files)
        r = look_into(l);
    if (r == BERTH_E_BUSY)
        return false;
    if (r != BERTH_OK)
        l->found = (auth_credentials){0};
    l->code = r == BERTH_E_NOT_FOUND ? BERTH_OK : r;
    return true;
}

static void resume(struct lookup *l)
{
    const struct keyring_run *run = l->run;
    l->run = NULL;
    int r = take_answer(l, run->code, &run->found, &run->err);
    if (look(l, r == BERTH_E_NOT_FOUND ? take_entry(l) : r))
        l->done(l);
}

/* Those that were given; false: the files are next. */
static bool take_given(struct lookup *l)
{
    const struct keyring *k = l->keyring;
    const struct keyring_given *best = NULL;
    uint64_t best_rank = 0;
    l->found = k->own;
    if (k->own.username.n)
        return true;
    for (size_t i = 0; i < k->n_given; i++) {
        uint64_t rank = auth_place_rank(k->given[i].place, k->given[i].may, &l->target);
        if (rank > best_rank) {
            best = &k->given[i];
            best_rank = rank;
        }
    }
    if (best)
        l->found = best->c;
    return best;
}

bool lookup_start(struct lookup *l, struct keyring *k, const auth_target *target,
                  void (*done)(struct lookup *l))
{
    lookup_done(l);
    *l = (struct lookup){.keyring = k, .done = done, .target = *target, .err = BERTH_ERROR_INIT};
    if (take_given(l))
        return true;
    l->file = SIZE_MAX; /* before the first */
    return look(l, BERTH_E_NOT_FOUND);
}

void lookup_done(struct lookup *l)
{
    struct keyring_run *run = l->run;
    for (struct lookup **at = run ? &run->waiting : NULL; at && *at; at = &(*at)->next)
        if (*at == l) {
            *at = l->next;
            break;
        }
    if (run && !run->waiting && run->running) { /* nobody is left to hear it: the next look drops it */
        run_stop(run);
        run->until_ms = 0;
    }
    l->run = NULL;
    berth_arena_done(&l->arena);
    l->found = (auth_credentials){0};
}
