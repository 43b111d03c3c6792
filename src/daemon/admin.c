/* daemon/admin.c - runs the commands of admin.h on an open instance. */
#include "daemon/admin.h"

#include <stdio.h>

#include "daemon/backup.h"
#include "daemon/export.h"
#include "http/url.h"

void admin_number(const struct admin_out *out, const char *key, uint64_t v)
{
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
    out->value(out->arg, key, text);
}

static int gc(struct instance *in, bool dry_run, const struct admin_out *out, berth_error *err)
{
    if (dry_run) {
        struct repo_gc_preview plan = {0};
        int rc = repo_gc_preview(in->repo, &plan, err);
        if (rc != BERTH_OK)
            return rc;
        admin_number(out, "manifests", plan.manifests);
        admin_number(out, "links", plan.links);
        admin_number(out, "blobs", plan.blobs);
        admin_number(out, "uploads", plan.uploads);
        admin_number(out, "objects", plan.objects);
        admin_number(out, "bytes", plan.bytes);
        admin_number(out, "waiting_bytes", plan.waiting_bytes);
        return BERTH_OK;
    }
    struct repo_gc_result r = {0};
    int rc = repo_gc(in->repo, out->stop, &r, err);
    if (rc != BERTH_OK)
        return rc;
    admin_number(out, "manifests", r.manifests);
    admin_number(out, "links", r.links);
    admin_number(out, "blobs", r.blobs);
    admin_number(out, "uploads", r.uploads);
    admin_number(out, "repositories", r.repositories);
    admin_number(out, "objects", r.objects);
    admin_number(out, "bytes", r.bytes);
    admin_number(out, "waiting_bytes", r.waiting_bytes);
    return BERTH_OK;
}

static void tell_problem(void *arg, const char *text)
{
    const struct admin_out *out = arg;
    out->line(out->arg, text);
}

static void tell_checked(void *arg, uint64_t checked, uint64_t bytes)
{
    const struct admin_out *out = arg;
    char text[80];
    snprintf(text, sizeof(text), "%llu checked, %.1f MiB read", (unsigned long long)checked,
             (double)bytes / (double)MIB);
    out->progress(out->arg, text);
}

static int check(struct instance *in, bool repair, bool quick, const struct admin_out *out, berth_error *err)
{
    struct admin_out copy = *out;
    struct repo_check_options o = {.repair = repair,
                                   .quick = quick,
                                   .alone = in->alone,
                                   .problem = tell_problem,
                                   .progress = tell_checked,
                                   .arg = &copy,
                                   .stop = out->stop};
    struct repo_check_result r = {0};
    int rc = repo_check(in->repo, &o, &r, err);
    if (rc != BERTH_OK)
        return rc;
    if (r.damaged)
        return berth_error_set(err, BERTH_E_BUSY,
                               "the database is damaged, and a server has it: stop the server and run "
                               "`berth check --repair` again");
    const struct repo_salvage_result *s = &in->salvage;
    admin_number(out, "blobs", r.blobs);
    admin_number(out, "manifests", r.manifests);
    admin_number(out, "objects", r.objects);
    admin_number(out, "bytes", r.bytes);
    if (s->damaged || s->lost) {
        admin_number(out, "damaged", s->damaged);
        admin_number(out, "lost", s->lost);
    }
    admin_number(out, "problems", r.problems + s->damaged + s->lost);
    admin_number(out, "repaired", r.repaired + s->damaged + s->lost);
    return BERTH_OK;
}

static void tell_import(void *arg, const char *repo_name, const char *text)
{
    const struct admin_out *out = arg;
    char line[512];
    snprintf(line, sizeof(line), "%s: %s", repo_name, text);
    out->line(out->arg, line);
}

static int import(struct instance *in, const char *path, const char *name, bool dry_run,
                  const struct admin_out *out, berth_error *err)
{
    struct admin_out copy = *out;
    struct repo_import_options o = {.path = path,
                                    .name = name,
                                    .dry_run = dry_run,
                                    .report = tell_import,
                                    .arg = &copy,
                                    .stop = out->stop};
    struct repo_import_result r = {0};
    int rc = repo_import(in->repo, &o, &r, err);
    if (rc != BERTH_OK)
        return rc;
    admin_number(out, "repositories", r.repositories);
    admin_number(out, "tags", r.tags);
    admin_number(out, "manifests", r.manifests);
    admin_number(out, "blobs", r.blobs);
    admin_number(out, "bytes", r.bytes);
    admin_number(out, "skipped", r.skipped);
    admin_number(out, "failed", r.failed);
    return BERTH_OK;
}

/* The next word of @command, decoded into @a; .p NULL at the end or for a bad escape. */
static berth_str next_word(berth_str *command, berth_arena *a)
{
    berth_str word, rest, decoded;
    if (command->n == 0)
        return STR_NULL;
    str_cut(*command, ' ', &word, &rest);
    *command = rest;
    return http_url_decode(word, false, a, &decoded) ? berth_arena_str(a, decoded) : STR_NULL;
}

static bool takes_path(berth_str verb)
{
    return str_eq(verb, STR("import")) || str_eq(verb, STR("export")) || str_eq(verb, STR("backup")) ||
           str_eq(verb, STR("restore"));
}

struct words {
    berth_str verb, path, name;
    bool dry_run, repair, quick, on, off, verify, keep_tags;
};

static int read_words(berth_str command, berth_arena *a, struct words *ret, berth_error *err)
{
    struct words w = {.verb = next_word(&command, a)};
    const struct {
        berth_str word;
        bool *flag;
    } flags[] = {{STR("dry-run"), &w.dry_run},
                 {STR("repair"), &w.repair},
                 {STR("quick"), &w.quick},
                 {STR("on"), &w.on},
                 {STR("off"), &w.off},
                 {STR("verify"), &w.verify},
                 {STR("keep-tags"), &w.keep_tags}};
    for (berth_str word; (word = next_word(&command, a)).p;) {
        size_t i = 0;
        while (i < COUNT(flags) && !str_eq(word, flags[i].word))
            i++;
        if (i < COUNT(flags))
            *flags[i].flag = true;
        else if (str_starts(word, STR("name=")))
            w.name = str_from_offset(word, 5);
        else if (takes_path(w.verb) && !w.path.p)
            w.path = word;
        else
            return berth_error_set(err, BERTH_E_INVALID, "'" STR_FMT "' is not understood", STR_ARG(word));
    }
    *ret = w;
    return BERTH_OK;
}

int admin_run(struct instance *in, berth_str command, const struct admin_out *out, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct words w;
    int rc = read_words(command, &a, &w, err);
    if (rc != BERTH_OK)
        return rc;
    if (str_eq(w.verb, STR("gc")))
        return gc(in, w.dry_run, out, err);
    if (str_eq(w.verb, STR("check")))
        return check(in, w.repair, w.quick, out, err);
    if (str_eq(w.verb, STR("import")) && w.path.p)
        return import(in, w.path.p, w.name.p, w.dry_run, out, err);
    if (str_eq(w.verb, STR("export")) && w.path.p && w.name.p)
        return export_write(in, w.name, w.path.p, out, err);
    if (str_eq(w.verb, STR("backup")) && w.path.p)
        return backup_write(in, w.path.p, w.verify, out, err);
    if (str_eq(w.verb, STR("restore")) && w.path.p) {
        const struct restore_options o = {.keep_tags = w.keep_tags, .dry_run = w.dry_run};
        return restore_merge(in, w.path.p, &o, out, err);
    }
    if (str_eq(w.verb, STR("read-only")) && w.on != w.off) {
        repo_set_read_only(in->repo, w.on);
        if (w.off && repo_is_read_only(in->repo))
            return berth_error_set(err, BERTH_E_DENIED,
                                   "still read-only: first switch off the setting registry.read_only");
        out->value(out->arg, "read_only", repo_is_read_only(in->repo) ? "true" : "false");
        return BERTH_OK;
    }
    if (str_eq(w.verb, STR("status"))) {
        out->value(out->arg, "read_only", repo_is_read_only(in->repo) ? "true" : "false");
        return BERTH_OK;
    }
    return berth_error_set(err, BERTH_E_INVALID, "unknown command '" STR_FMT "'", STR_ARG(w.verb));
}

int admin_restore(const struct config *c, berth_str command, const struct admin_out *out, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct words w;
    int rc = read_words(command, &a, &w, err);
    if (rc == BERTH_OK && !w.path.p)
        rc = berth_error_set(err, BERTH_E_INVALID, "say which backup");
    const struct restore_options o = {.keep_tags = w.keep_tags, .dry_run = w.dry_run};
    return rc == BERTH_OK ? restore_fresh(c, w.path.p, &o, out, err) : rc;
}
