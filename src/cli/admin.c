/* cli/admin.c - `berth gc`, `check`, `import`, `export`, `backup`, `restore`, `read-only`, `reload`: asks the
 * running server, or works on the folder itself (daemon/admin.h). Results as text for people or JSON for
 * programs. */
#include <jansson.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#include "cli/cli.h"
#include "daemon/admin.h"
#include "http/url.h"

struct report {
    bool json, terminal, dirty; /* dirty: a progress line stands on the terminal */
    json_t *values, *lines;
};

static _Atomic bool interrupted;

static void on_interrupt(int sig)
{
    (void)sig;
    atomic_store(&interrupted, true);
}

static void clear_progress(struct report *r)
{
    if (r->dirty)
        fprintf(stderr, "\r\033[K");
    r->dirty = false;
}

static void report_line(void *arg, const char *text)
{
    struct report *r = arg;
    clear_progress(r);
    /* A line may repeat a name from a foreign tree: nothing in it shall act on a terminal, or be no UTF-8. */
    CLEANUP(freep) char *shown = str_dup(str_from(text));
    for (char *at = shown; at && *at; at++)
        if (*at < 0x20 || *at > 0x7e)
            *at = '?';
    if (r->json)
        json_array_append_new(r->lines, json_string(shown ? shown : ""));
    else
        printf("%s\n", shown ? shown : "");
}

static void report_progress(void *arg, const char *text)
{
    struct report *r = arg;
    if (!r->terminal) {
        fprintf(stderr, "%s\n", text);
        return;
    }
    fprintf(stderr, "\r\033[K%s", text);
    fflush(stderr);
    r->dirty = true;
}

static void report_value(void *arg, const char *key, const char *v)
{
    struct report *r = arg;
    uint64_t number;
    json_object_set_new(r->values, key,
                        str_to_u64(str_from(v), &number) ? json_integer((json_int_t)number) : json_string(v));
}

static double mib(const json_t *values, const char *key)
{
    return (double)json_integer_value(json_object_get(values, key)) / (double)MIB;
}

static long long count(const json_t *values, const char *key)
{
    return (long long)json_integer_value(json_object_get(values, key));
}

static void print_gc(const json_t *v, bool dry_run)
{
    if (dry_run)
        printf("due now: %lld manifests, %lld blobs, %lld uploads\n"
               "would free %.1f MiB at once (%lld objects), and %.1f MiB when their readers have had time to "
               "finish\n",
               count(v, "manifests"), count(v, "blobs"), count(v, "uploads"), mib(v, "bytes"),
               count(v, "objects"), mib(v, "waiting_bytes"));
    else
        printf("removed %lld manifests, %lld blobs, %lld uploads\n"
               "freed %.1f MiB (%lld objects); %.1f MiB follow when their readers have had time to finish\n",
               count(v, "manifests"), count(v, "blobs"), count(v, "uploads"), mib(v, "bytes"),
               count(v, "objects"), mib(v, "waiting_bytes"));
}

static void print_check(const json_t *v)
{
    printf("checked %lld blobs, %lld manifests, %lld objects (%.1f MiB): %lld problems", count(v, "blobs"),
           count(v, "manifests"), count(v, "objects"), mib(v, "bytes"), count(v, "problems"));
    if (count(v, "repaired"))
        printf(", %lld repaired", count(v, "repaired"));
    if (count(v, "lost"))
        printf(", %lld lost", count(v, "lost"));
    printf("\n");
}

static void print_import(const json_t *v)
{
    printf("imported %lld repositories, %lld tags, %lld manifests, %lld blobs (%.1f MiB); %lld skipped, %lld "
           "failed\n",
           count(v, "repositories"), count(v, "tags"), count(v, "manifests"), count(v, "blobs"),
           mib(v, "bytes"), count(v, "skipped"), count(v, "failed"));
}

static void print_export(const json_t *v)
{
    printf("exported %lld tags, %lld manifests, %lld blobs (%.1f MiB); %lld files written (%.1f MiB); %lld "
           "problems\n",
           count(v, "tags"), count(v, "manifests"), count(v, "blobs"), mib(v, "bytes"), count(v, "copied"),
           mib(v, "copied_bytes"), count(v, "problems"));
}

static void print_backup(const json_t *v)
{
    printf("backup of %s: %lld tags, %lld blobs (%.1f MiB); %lld copied now (%.1f MiB), %lld removed; %lld "
           "problems\n",
           json_string_value(json_object_get(v, "made")), count(v, "tags"), count(v, "blobs"),
           mib(v, "bytes"), count(v, "copied"), mib(v, "copied_bytes"), count(v, "removed"),
           count(v, "problems"));
}

static void print_restore(const json_t *v)
{
    const char *made = json_string_value(json_object_get(v, "made"));
    if (json_object_get(v, "skipped")) /* into a registry that was there */
        printf("restored from the backup of %s: %lld repositories, %lld tags, %lld manifests, %lld blobs "
               "(%.1f MiB); %lld were here already, %lld failed\n",
               made, count(v, "repositories"), count(v, "tags"), count(v, "manifests"), count(v, "blobs"),
               mib(v, "bytes"), count(v, "skipped"), count(v, "failed"));
    else
        printf("made from the backup of %s: %lld tags, %lld blobs (%.1f MiB); %lld failed\n", made,
               count(v, "tags"), count(v, "blobs"), mib(v, "bytes"), count(v, "failed"));
}

/* Sends @command, prints what comes back. @ret_values, if not NULL, is the result's, to be freed. */
static int ask(const char *name, const struct cli_settings *s, const char *command, bool json,
               json_t **ret_values)
{
    struct config *c = NULL;
    berth_error err = BERTH_ERROR_INIT;
    if (config_load(s->path, s->flags, s->n_flags, &c, &err) != BERTH_OK) {
        cli_fail(name, &err);
        return EXIT_CONFIG;
    }
    signal(SIGINT, on_interrupt);
    signal(SIGPIPE, SIG_IGN);
    struct report r = {
        .json = json, .terminal = isatty(STDERR_FILENO), .values = json_object(), .lines = json_array()};
    const struct admin_out out = {report_line, report_progress, report_value, &r, &interrupted};
    int rc = admin_command(c, str_from(command), &out, &err);
    clear_progress(&r);
    config_free(c);
    if (rc == BERTH_OK && json) {
        if (json_array_size(r.lines))
            json_object_set(r.values, "lines", r.lines);
        json_dumpf(r.values, stdout, JSON_INDENT(2));
        printf("\n");
    }
    json_decref(r.lines);
    if (rc != BERTH_OK) {
        json_decref(r.values);
        return cli_fail(name, &err);
    }
    *ret_values = r.values;
    return EXIT_OK;
}

struct options {
    struct cli_settings settings;
    bool json;
    berth_buf command;
    const char *operand, *second;
    bool takes_two;
};

static void options_done(struct options *o)
{
    cli_settings_done(&o->settings);
    berth_buf_done(&o->command);
}

static void add_word(struct options *o, const char *word)
{
    berth_buf_putc(&o->command, ' ');
    http_url_encode(&o->command, str_from(word), "/=");
}

/* The server has another working folder; what does not exist yet has no realpath(). */
static bool add_new_folder(struct options *o, const char *folder)
{
    CLEANUP(freep) char *here = folder[0] == '/' ? NULL : getcwd(NULL, 0);
    CLEANUP(berth_buf_done) berth_buf path = BERTH_BUF_INIT(16 * KIB);
    berth_buf_addf(&path, "%s%s%s", here ? here : "", here ? "/" : "", folder);
    if (!berth_buf_cstr(&path))
        return false;
    add_word(o, berth_buf_cstr(&path));
    return true;
}

/* Common parsing: settings, --output, the flags in @words ("--dry-run" adds "dry-run"), at most one operand,
 * or two. -1: go on; else the exit code. */
static int parse(struct options *o, const char *name, const char *help, const char *const *words, int argc,
                 char **argv)
{
    o->settings.path = getenv("BERTH_CONFIG");
    berth_buf_init(&o->command, 16 * KIB);
    berth_buf_addf(&o->command, "%s", name);
    for (int i = 1; i < argc; i++) {
        bool known = false;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            printf("%s", help);
            return EXIT_OK;
        }
        int took = cli_take_output(name, argc, argv, &i, &o->json);
        if (took < 0)
            return EXIT_USAGE;
        if (took > 0)
            continue;
        for (size_t k = 0; words[k] && !known; k++)
            if (strcmp(argv[i], words[k]) == 0) {
                add_word(o, words[k] + 2);
                known = true;
            }
        if (known)
            continue;
        took = cli_take_setting(&o->settings, name, argc, argv, &i);
        if (took < 0)
            return EXIT_USAGE;
        if (took > 0)
            continue;
        if (argv[i][0] == '-' || (o->takes_two ? o->second : o->operand))
            return cli_usage(name, "'%s' is not understood", argv[i]);
        *(o->operand ? &o->second : &o->operand) = argv[i];
    }
    return -1;
}

int cmd_gc(int argc, char **argv)
{
    static const char help[] =
        "usage: berth gc [--dry-run] [--data DIR] [--config FILE] [--output text|json]\n\n"
        "Removes what nothing refers to and nobody was promised, while the server goes on. The server does "
        "this on\n"
        "its own schedule too (setting gc.interval).\n\n"
        "  --dry-run   only say what is due, with the bytes\n\n"
        "example:\n  berth gc --data /var/lib/berth --dry-run\n";
    static const char *const words[] = {"--dry-run", NULL};
    CLEANUP(options_done) struct options o = {0};
    int rc = parse(&o, "gc", help, words, argc, argv);
    if (rc >= 0)
        return rc;
    if (o.operand)
        return cli_usage("gc", "'%s' is not understood", o.operand);
    json_t *v = NULL;
    rc = ask("gc", &o.settings, berth_buf_cstr(&o.command), o.json, &v);
    if (rc == EXIT_OK && !o.json)
        print_gc(v, strstr(berth_buf_cstr(&o.command), "dry-run") != NULL);
    json_decref(v);
    return rc;
}

int cmd_check(int argc, char **argv)
{
    static const char help[] =
        "usage: berth check [--quick] [--repair] [--data DIR] [--config FILE] [--output text|json]\n\n"
        "Compares every object with its digest, every row with its object, every manifest with its digest.\n"
        "Exit code 6: problems were found.\n\n"
        "  --quick    existence and sizes only, nothing is hashed\n"
        "  --repair   forget blobs whose bytes are lost, use whole copies found elsewhere, hand objects "
        "that\n"
        "             belong to nothing to the collector; salvage a damaged database (stop the server "
        "first)\n\n"
        "example:\n  berth check --data /var/lib/berth\n";
    static const char *const words[] = {"--quick", "--repair", NULL};
    CLEANUP(options_done) struct options o = {0};
    int rc = parse(&o, "check", help, words, argc, argv);
    if (rc >= 0)
        return rc;
    if (o.operand)
        return cli_usage("check", "'%s' is not understood", o.operand);
    json_t *v = NULL;
    rc = ask("check", &o.settings, berth_buf_cstr(&o.command), o.json, &v);
    if (rc == EXIT_OK && !o.json)
        print_check(v);
    if (rc == EXIT_OK && count(v, "problems") > count(v, "repaired"))
        rc = EXIT_PROBLEMS;
    json_decref(v);
    return rc;
}

int cmd_import(int argc, char **argv)
{
    static const char help[] = "usage: berth import PATH [--name REPOSITORY] [--dry-run] [--data DIR] "
                               "[--config FILE] [--output text|json]\n\n"
                               "Takes over the repositories at PATH: the folder of a distribution registry, "
                               "of zot or olareg, or one OCI\n"
                               "image layout. Every digest is checked; what is here already is not copied "
                               "again. PATH is only read.\n"
                               "Exit code 6: something could not be imported.\n\n"
                               "  --name REPOSITORY   for a single layout; else the folder's name\n"
                               "  --dry-run           only say what would be imported\n\n"
                               "example:\n  berth import /var/lib/registry --data /var/lib/berth\n";
    static const char *const words[] = {"--dry-run", NULL};
    CLEANUP(options_done) struct options o = {0};
    const char *name = NULL;
    int n = 1;
    for (int i = 1; i < argc; i++) { /* --name is this command's own */
        if (strcmp(argv[i], "--name") == 0 && i + 1 < argc)
            name = argv[++i];
        else if (strncmp(argv[i], "--name=", 7) == 0)
            name = argv[i] + 7;
        else
            argv[n++] = argv[i];
    }
    int rc = parse(&o, "import", help, words, n, argv);
    if (rc >= 0)
        return rc;
    if (!o.operand)
        return cli_usage("import", "say which folder");
    CLEANUP(freep) char *path = realpath(o.operand, NULL); /* the server has another working folder */
    if (!path) {
        fprintf(stderr, "berth import: '%s': no such folder\n", o.operand);
        return EXIT_NOT_FOUND;
    }
    add_word(&o, path);
    if (name) {
        CLEANUP(berth_buf_done) berth_buf word = BERTH_BUF_INIT(16 * KIB);
        berth_buf_addf(&word, "name=%s", name);
        if (!berth_buf_failed(&word))
            add_word(&o, berth_buf_cstr(&word));
    }
    json_t *v = NULL;
    rc = ask("import", &o.settings, berth_buf_cstr(&o.command), o.json, &v);
    if (rc == EXIT_OK && !o.json)
        print_import(v);
    if (rc == EXIT_OK && count(v, "failed"))
        rc = EXIT_PROBLEMS;
    json_decref(v);
    return rc;
}

int cmd_export(int argc, char **argv)
{
    static const char help[] =
        "usage: berth export REPOSITORY[:TAG|@DIGEST] DIR [--data DIR] [--config FILE] [--output "
        "text|json]\n\n"
        "Writes a repository, or one image of it with all that refers to it, to the folder DIR as an OCI "
        "image\n"
        "layout, which other tools read, and `berth import`. A server that runs goes on meanwhile, and is "
        "the\n"
        "one that writes: its user must be able to. DIR is made if absent; a layout that is there is added "
        "to:\n"
        "what it has is not copied again, and an entry with the name of a tag gives way to that tag.\n"
        "Exit code 6: bytes are missing or wrong; they are named, and what needs them is not listed.\n\n"
        "example:\n  berth export team/app:v1 ./app --data /var/lib/berth\n";
    static const char *const words[] = {NULL};
    CLEANUP(options_done) struct options o = {.takes_two = true};
    int rc = parse(&o, "export", help, words, argc, argv);
    if (rc >= 0)
        return rc;
    if (!o.second || !o.second[0])
        return cli_usage("export", "say which repository, and to which folder");
    CLEANUP(berth_buf_done) berth_buf what = BERTH_BUF_INIT(16 * KIB);
    berth_buf_addf(&what, "name=%s", o.operand);
    if (!berth_buf_cstr(&what) || !add_new_folder(&o, o.second))
        return cli_usage("export", "a name is too long");
    add_word(&o, berth_buf_cstr(&what));
    json_t *v = NULL;
    rc = ask("export", &o.settings, berth_buf_cstr(&o.command), o.json, &v);
    if (rc == EXIT_OK && !o.json)
        print_export(v);
    if (rc == EXIT_OK && count(v, "problems"))
        rc = EXIT_PROBLEMS;
    json_decref(v);
    return rc;
}

int cmd_backup(int argc, char **argv)
{
    static const char help[] =
        "usage: berth backup DIR [--verify] [--data DIR] [--config FILE] [--output text|json]\n\n"
        "Writes a copy of the whole registry, as it is at one moment, to the folder DIR, while the server "
        "goes\n"
        "on. A backup that is there already is brought up to date: only objects that it lacks are copied.\n"
        "Every object's digest is checked on the way. Whatever happens, the backup that was there stays "
        "whole\n"
        "until the new one has taken its place. DIR is made if absent; else it must be empty or a backup, "
        "and\n"
        "outside the data folder. The server writes it: its user must be able to.\n"
        "Exit code 6: bytes are missing or wrong; the blobs are named, and the rest is in the backup.\n\n"
        "  --verify   read what the backup has already, too, and replace what is wrong\n\n"
        "example:\n  berth backup /srv/backup/berth --data /var/lib/berth\n";
    static const char *const words[] = {"--verify", NULL};
    CLEANUP(options_done) struct options o = {0};
    int rc = parse(&o, "backup", help, words, argc, argv);
    if (rc >= 0)
        return rc;
    if (!o.operand || !o.operand[0])
        return cli_usage("backup", "say which folder");
    if (!add_new_folder(&o, o.operand))
        return cli_usage("backup", "the folder's name is too long");
    json_t *v = NULL;
    rc = ask("backup", &o.settings, berth_buf_cstr(&o.command), o.json, &v);
    if (rc == EXIT_OK && !o.json)
        print_backup(v);
    if (rc == EXIT_OK && count(v, "problems"))
        rc = EXIT_PROBLEMS;
    json_decref(v);
    return rc;
}

int cmd_restore(int argc, char **argv)
{
    static const char help[] =
        "usage: berth restore DIR [--keep-tags] [--dry-run] [--data DIR] [--config FILE] [--output "
        "text|json]\n\n"
        "Reads the backup in the folder DIR; every digest is checked, and DIR is only read.\n\n"
        "Where the data folder is absent or empty, it is made from the backup, and `berth serve` can start "
        "on\n"
        "it at once. Interrupted, it is started again with the same command; until then nothing serves "
        "it.\n\n"
        "Where a server runs, or the data folder holds a registry, what the backup has is brought into it:\n"
        "every repository, blob, manifest and tag of the backup is there again afterwards, and its tags "
        "point\n"
        "where the backup says. What is here and not in the backup stays. What is here already is not "
        "copied.\n"
        "Exit code 6: something could not be restored; it is named.\n\n"
        "  --keep-tags   leave alone tags that exist here\n"
        "  --dry-run     only say what would be restored\n\n"
        "example:\n  berth restore /srv/backup/berth --data /var/lib/berth\n";
    static const char *const words[] = {"--keep-tags", "--dry-run", NULL};
    CLEANUP(options_done) struct options o = {0};
    int rc = parse(&o, "restore", help, words, argc, argv);
    if (rc >= 0)
        return rc;
    if (!o.operand)
        return cli_usage("restore", "say which folder");
    CLEANUP(freep) char *path = realpath(o.operand, NULL); /* the server has another working folder */
    if (!path) {
        fprintf(stderr, "berth restore: '%s': no such folder\n", o.operand);
        return EXIT_NOT_FOUND;
    }
    add_word(&o, path);
    json_t *v = NULL;
    rc = ask("restore", &o.settings, berth_buf_cstr(&o.command), o.json, &v);
    if (rc == EXIT_OK && !o.json)
        print_restore(v);
    if (rc == EXIT_OK && count(v, "failed"))
        rc = EXIT_PROBLEMS;
    json_decref(v);
    return rc;
}

int cmd_read_only(int argc, char **argv)
{
    static const char help[] =
        "usage: berth read-only on|off [--data DIR] [--config FILE] [--output text|json]\n\n"
        "A running server refuses pushes and deletes from now on, or takes them again.\n"
        "It forgets this when it stops; the setting registry.read_only stays.\n\n"
        "example:\n  berth read-only on --data /var/lib/berth\n";
    static const char *const words[] = {NULL};
    CLEANUP(options_done) struct options o = {0};
    int rc = parse(&o, "read-only", help, words, argc, argv);
    if (rc >= 0)
        return rc;
    if (!o.operand || (strcmp(o.operand, "on") != 0 && strcmp(o.operand, "off") != 0))
        return cli_usage("read-only", "say on or off");
    add_word(&o, o.operand);
    json_t *v = NULL;
    rc = ask("read-only", &o.settings, berth_buf_cstr(&o.command), o.json, &v);
    if (rc == EXIT_OK && !o.json)
        printf("read-only: %s\n", json_string_value(json_object_get(v, "read_only")));
    json_decref(v);
    return rc;
}

int cmd_reload(int argc, char **argv)
{
    static const char help[] =
        "usage: berth reload [--data DIR] [--config FILE] [--output text|json]\n\n"
        "A running server reads its configuration and certificates again, or says what is wrong with\n"
        "them and goes on with what it had. Its log names what changed, and what takes a "
        "restart.\n\nexample:\n  berth reload --data /var/lib/berth\n";
    static const char *const words[] = {NULL};
    CLEANUP(options_done) struct options o = {0};
    int rc = parse(&o, "reload", help, words, argc, argv);
    if (rc >= 0)
        return rc;
    if (o.operand)
        return cli_usage("reload", "'%s' is not understood", o.operand);
    json_t *v = NULL;
    rc = ask("reload", &o.settings, berth_buf_cstr(&o.command), o.json, &v);
    if (rc == EXIT_OK && !o.json)
        printf("reloaded; the server's log says what changed\n");
    json_decref(v);
    return rc;
}
