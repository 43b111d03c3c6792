/* cli/admin.c - `berth gc`, `check`, `import`, `export`, `backup`, `restore`, `read-only`, `reload`: asks the
 * running server, or works on the folder itself (daemon/admin.h). Results as text for people or JSON for
 * programs. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#include "cli/commands.h"
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

static void print_gc_due(const json_t *v)
{
    printf("due now: %lld manifests, %lld blobs, %lld uploads\n"
           "would free %.1f MiB at once (%lld objects), and %.1f MiB when their readers have had time to "
           "finish\n",
           count(v, "manifests"), count(v, "blobs"), count(v, "uploads"), mib(v, "bytes"),
           count(v, "objects"), mib(v, "waiting_bytes"));
}

static void print_gc(const json_t *v)
{
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

static void print_imported(const char *what, const json_t *v)
{
    printf(
        "%s %lld repositories, %lld tags, %lld manifests, %lld blobs (%.1f MiB); %lld skipped, %lld failed\n",
        what, count(v, "repositories"), count(v, "tags"), count(v, "manifests"), count(v, "blobs"),
        mib(v, "bytes"), count(v, "skipped"), count(v, "failed"));
}

static void print_import_due(const json_t *v)
{
    print_imported("would import", v);
}

static void print_import(const json_t *v)
{
    print_imported("imported", v);
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

static void print_read_only(const json_t *v)
{
    printf("read-only: %s\n", json_string_value(json_object_get(v, "read_only")));
}

static void print_reload(const json_t *v)
{
    (void)v;
    printf("reloaded; the server's log says what changed\n");
}

struct options {
    struct cli_base base;
    bool dry_run, quick, repair, verify, keep_tags;
    const char *name;
    berth_buf command; /* for the server: words with %XX */
};

static void options_done(struct options *o)
{
    cli_base_done(&o->base);
    berth_buf_done(&o->command);
}

static int read_options(const struct cli_command *c, int argc, char **argv, struct options *o)
{
    berth_buf_init(&o->command, 16 * KIB);
    berth_buf_addf(&o->command, "%s", c->name);
    return cli_read(c, argc, argv, &o->base);
}

static void add_word(struct options *o, const char *word)
{
    berth_buf_putc(&o->command, ' ');
    http_url_encode(&o->command, str_from(word), "/=");
}

static void add_flag(struct options *o, bool given, const char *word)
{
    if (given)
        add_word(o, word);
}

/* "name=<@name>", if there is one. */
static bool add_name(struct options *o, const char *name)
{
    CLEANUP(berth_buf_done) berth_buf word = BERTH_BUF_INIT(16 * KIB);
    if (!name)
        return true;
    berth_buf_addf(&word, "name=%s", name);
    if (!berth_buf_cstr(&word))
        return false;
    add_word(o, berth_buf_cstr(&word));
    return true;
}

/* The server has another working folder; what does not exist yet has no realpath(). */
static bool add_new_folder(struct options *o, const char *folder)
{
    CLEANUP(freep) char *here = folder[0] == '/' ? NULL : mem_adopt(getcwd(NULL, 0));
    CLEANUP(berth_buf_done) berth_buf path = BERTH_BUF_INIT(16 * KIB);
    berth_buf_addf(&path, "%s%s%s", here ? here : "", here ? "/" : "", folder);
    if (!berth_buf_cstr(&path))
        return false;
    add_word(o, berth_buf_cstr(&path));
    return true;
}

/* One that is there. */
static int add_folder(const struct cli_command *c, struct options *o, const char *folder)
{
    CLEANUP(freep) char *path = mem_adopt(realpath(folder, NULL));
    if (!path) {
        fprintf(stderr, "berth %s: '%s': no such folder\n", c->name, folder);
        return EXIT_NOT_FOUND;
    }
    add_word(o, path);
    return -1;
}

/* Sends the command. *@ret_values is the result's, to be freed. */
static int ask(const struct cli_command *c, struct options *o, json_t **ret_values)
{
    const struct cli_settings *s = &o->base.settings;
    struct config *config = NULL;
    berth_error err = BERTH_ERROR_INIT;
    const char *command = berth_buf_cstr(&o->command);
    if (!command)
        return cli_usage(c->name, "a name is too long");
    if (config_load(s->path, s->flags, s->n_flags, &config, &err) != BERTH_OK) {
        cli_fail(c->name, &err);
        return EXIT_CONFIG;
    }
    signal(SIGINT, on_interrupt);
    signal(SIGPIPE, SIG_IGN);
    struct report r = {.json = !cli_wants_text(&o->base),
                       .terminal = isatty(STDERR_FILENO) && !o->base.quiet && !o->base.no_progress,
                       .values = json_object(),
                       .lines = json_array()};
    const struct admin_out out = {report_line, report_progress, report_value, &r, &interrupted};
    int rc = admin_command(config, str_from(command), &out, &err);
    clear_progress(&r);
    config_free(config);
    if (rc == BERTH_OK && r.json && json_array_size(r.lines))
        json_object_set(r.values, "lines", r.lines);
    json_decref(r.lines);
    if (rc != BERTH_OK) {
        json_decref(r.values);
        return cli_fail(c->name, &err);
    }
    *ret_values = r.values;
    return EXIT_OK;
}

/* Sends the command and prints what comes back, as text through @print. EXIT_PROBLEMS when the result's @bad
 * counts more than its @mended. */
static int ask_and_print(const struct cli_command *c, struct options *o, void (*print)(const json_t *v),
                         const char *bad, const char *mended)
{
    json_t *v = NULL;
    int rc = ask(c, o, &v);
    if (rc != EXIT_OK)
        return rc;
    bool problems = bad && count(v, bad) > (mended ? count(v, mended) : 0);
    if (cli_wants_text(&o->base)) {
        print(v);
        rc = cli_printed(c);
    } else {
        rc = cli_print(c, &o->base, json_incref(v));
    }
    json_decref(v);
    return rc == EXIT_OK && problems ? EXIT_PROBLEMS : rc;
}

#define OPTION_DRY_RUN(what)                                                                                 \
    {                                                                                                        \
        .name = "dry-run", .kind = CLI_FLAG, .at = offsetof(struct options, dry_run), .help = what           \
    }
#define FIELD_LINES                                                                                          \
    {                                                                                                        \
        "lines[]", "string", "what was said on the way; absent if nothing was"                               \
    }

/* --- gc --- */

static int run_gc(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(options_done) struct options o = {0};
    int rc = read_options(c, argc, argv, &o);
    if (rc >= 0)
        return rc;
    add_flag(&o, o.dry_run, "dry-run");
    return ask_and_print(c, &o, o.dry_run ? print_gc_due : print_gc, NULL, NULL);
}

const struct cli_command cmd_gc = {
    .name = "gc",
    .summary = "remove what nothing refers to, now",
    .operands = "",
    .text =
        "Removes what nothing refers to and nobody was promised, while the server goes on. The server does "
        "this on its own schedule too (setting gc.interval).",
    .options = (const struct cli_option[]){OPTION_DRY_RUN("only say what is due, with the bytes"), {0}},
    .fields =
        (const struct cli_field[]){
            {"manifests", "number", "manifests removed, or due"},
            {"links", "number", "blobs removed from repositories, or due"},
            {"blobs", "number", "blobs removed, or due"},
            {"uploads", "number", "abandoned uploads removed, or due"},
            {"repositories", "number", "empty repositories removed; absent with --dry-run"},
            {"objects", "number", "objects freed at once"},
            {"bytes", "number", "their bytes"},
            {"waiting_bytes", "number", "bytes that follow when their readers have had time to finish"},
            FIELD_LINES,
            {0}},
    .examples = (const struct cli_example[]){{"berth gc --data /var/lib/berth --dry-run", NULL}, {0}},
    .takes = CLI_SETTINGS | CLI_OUTPUT,
    .run = run_gc,
};

/* --- check --- */

static int run_check(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(options_done) struct options o = {0};
    int rc = read_options(c, argc, argv, &o);
    if (rc >= 0)
        return rc;
    add_flag(&o, o.quick, "quick");
    add_flag(&o, o.repair, "repair");
    return ask_and_print(c, &o, print_check, "problems", "repaired");
}

const struct cli_command cmd_check = {
    .name = "check",
    .summary = "compare every object with its digest and every row with its object",
    .operands = "",
    .text =
        "Compares every object with its digest, every row with its object, every manifest with its digest. "
        "Exit code 6: problems were found.",
    .options =
        (const struct cli_option[]){
            {.name = "quick",
             .kind = CLI_FLAG,
             .at = offsetof(struct options, quick),
             .help = "existence and sizes only, nothing is hashed"},
            {.name = "repair",
             .kind = CLI_FLAG,
             .at = offsetof(struct options, repair),
             .help =
                 "forget blobs whose bytes are lost, use whole copies found elsewhere, hand objects that "
                 "belong to nothing to the collector; salvage a damaged database (stop the server first)"},
            {0}},
    .fields =
        (const struct cli_field[]){
            {"blobs", "number", "blobs looked at"},
            {"manifests", "number", "manifests looked at"},
            {"objects", "number", "objects looked at"},
            {"bytes", "number", "their bytes"},
            {"problems", "number", "problems found; exit code 6 unless all are repaired"},
            {"repaired", "number", "problems repaired"},
            {"damaged", "number",
             "tables and indexes of a damaged database, which were salvaged; absent where it was whole"},
            {"lost", "number", "what it did not give back: manifests, tags, blobs, sessions; likewise"},
            FIELD_LINES,
            {0}},
    .examples = (const struct cli_example[]){{"berth check --data /var/lib/berth", NULL}, {0}},
    .takes = CLI_SETTINGS | CLI_OUTPUT,
    .run = run_check,
};

/* --- import and export --- */

static int run_import(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(options_done) struct options o = {0};
    int rc = read_options(c, argc, argv, &o);
    if (rc < 0)
        rc = add_folder(c, &o, o.base.operands[0]); /* the server has another working folder */
    if (rc >= 0)
        return rc;
    add_flag(&o, o.dry_run, "dry-run");
    if (!add_name(&o, o.name))
        return cli_usage(c->name, "the name is too long");
    return ask_and_print(c, &o, o.dry_run ? print_import_due : print_import, "failed", NULL);
}

const struct cli_command cmd_import = {
    .name = "import",
    .summary = "take over a distribution, zot, olareg or OCI layout folder",
    .operands = "PATH",
    .text =
        "Takes over the repositories at PATH: the folder of a distribution registry, of zot or olareg, or "
        "one "
        "OCI image layout. Every digest is checked; what is here already is not copied again. PATH is only "
        "read. Exit code 6: something could not be imported.",
    .options = (const struct cli_option[]){{.name = "name",
                                            .kind = CLI_TEXT,
                                            .value = "REPOSITORY",
                                            .at = offsetof(struct options, name),
                                            .help = "for a single layout; else the folder's name"},
                                           OPTION_DRY_RUN("only say what would be imported"),
                                           {0}},
    .fields = (const struct cli_field[]){{"repositories", "number", "repositories taken over"},
                                         {"tags", "number", "tags"},
                                         {"manifests", "number", "manifests"},
                                         {"blobs", "number", "blobs"},
                                         {"bytes", "number", "bytes of the blobs"},
                                         {"skipped", "number", "what was here already"},
                                         {"failed", "number", "what could not be imported; exit code 6"},
                                         FIELD_LINES,
                                         {0}},
    .examples =
        (const struct cli_example[]){{"berth import /var/lib/registry --data /var/lib/berth", NULL}, {0}},
    .takes = CLI_SETTINGS | CLI_OUTPUT,
    .run = run_import,
};

static int run_export(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(options_done) struct options o = {0};
    int rc = read_options(c, argc, argv, &o);
    if (rc >= 0)
        return rc;
    if (!o.base.operands[1][0])
        return cli_usage(c->name, "DIR is missing");
    if (!add_new_folder(&o, o.base.operands[1]) || !add_name(&o, o.base.operands[0]))
        return cli_usage(c->name, "a name is too long");
    return ask_and_print(c, &o, print_export, "problems", NULL);
}

const struct cli_command cmd_export = {
    .name = "export",
    .summary = "write a repository or an image as an OCI image layout",
    .operands = "REPOSITORY[:TAG|@DIGEST] DIR",
    .text =
        "Writes a repository, or one image of it with all that refers to it, to the folder DIR as an OCI "
        "image "
        "layout, which other tools read, and `berth import`. A server that runs goes on meanwhile, and is "
        "the "
        "one that writes: its user must be able to. DIR is made if absent; a layout that is there is added "
        "to: "
        "what it has is not copied again, and an entry with the name of a tag gives way to that tag. Exit "
        "code 6: bytes are missing or wrong; they are named, and what needs them is not listed.",
    .fields =
        (const struct cli_field[]){{"tags", "number", "tags in the layout"},
                                   {"manifests", "number", "manifests"},
                                   {"blobs", "number", "blobs"},
                                   {"bytes", "number", "bytes of the blobs"},
                                   {"copied", "number", "files written now"},
                                   {"copied_bytes", "number", "their bytes"},
                                   {"problems", "number", "bytes that are missing or wrong; exit code 6"},
                                   FIELD_LINES,
                                   {0}},
    .examples =
        (const struct cli_example[]){{"berth export team/app:v1 ./app --data /var/lib/berth", NULL}, {0}},
    .takes = CLI_SETTINGS | CLI_OUTPUT,
    .run = run_export,
};

/* --- backup and restore --- */

static int run_backup(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(options_done) struct options o = {0};
    int rc = read_options(c, argc, argv, &o);
    if (rc >= 0)
        return rc;
    if (!o.base.operands[0][0])
        return cli_usage(c->name, "DIR is missing");
    add_flag(&o, o.verify, "verify");
    if (!add_new_folder(&o, o.base.operands[0]))
        return cli_usage(c->name, "the folder's name is too long");
    return ask_and_print(c, &o, print_backup, "problems", NULL);
}

const struct cli_command cmd_backup = {
    .name = "backup",
    .summary = "write a consistent copy of the registry, or bring one up to date",
    .operands = "DIR",
    .text =
        "Writes a copy of the whole registry, as it is at one moment, to the folder DIR, while the server "
        "goes "
        "on. A backup that is there already is brought up to date: only objects that it lacks are copied. "
        "Every object's digest is checked on the way. Whatever happens, the backup that was there stays "
        "whole "
        "until the new one has taken its place. DIR is made if absent; else it must be empty or a backup, "
        "and "
        "outside the data folder. The server writes it: its user must be able to. Exit code 6: bytes are "
        "missing or wrong; the blobs are named, and the rest is in the backup.",
    .options =
        (const struct cli_option[]){
            {.name = "verify",
             .kind = CLI_FLAG,
             .at = offsetof(struct options, verify),
             .help = "read what the backup has already, too, and replace what is wrong"},
            {0}},
    .fields =
        (const struct cli_field[]){{"made", "string", "the moment of the copy"},
                                   {"tags", "number", "tags in the backup"},
                                   {"blobs", "number", "blobs in it"},
                                   {"bytes", "number", "their bytes"},
                                   {"copied", "number", "objects copied now"},
                                   {"copied_bytes", "number", "their bytes"},
                                   {"removed", "number", "objects removed from an older backup"},
                                   {"problems", "number", "bytes that are missing or wrong; exit code 6"},
                                   FIELD_LINES,
                                   {0}},
    .examples =
        (const struct cli_example[]){{"berth backup /srv/backup/berth --data /var/lib/berth", NULL}, {0}},
    .takes = CLI_SETTINGS | CLI_OUTPUT,
    .run = run_backup,
};

static int run_restore(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(options_done) struct options o = {0};
    int rc = read_options(c, argc, argv, &o);
    if (rc >= 0)
        return rc;
    add_flag(&o, o.keep_tags, "keep-tags");
    add_flag(&o, o.dry_run, "dry-run");
    rc = add_folder(c, &o, o.base.operands[0]); /* the server has another working folder */
    return rc >= 0 ? rc : ask_and_print(c, &o, print_restore, "failed", NULL);
}

const struct cli_command cmd_restore = {
    .name = "restore",
    .summary = "make a registry from a backup, or bring back what it holds",
    .operands = "DIR",
    .text =
        "Reads the backup in the folder DIR; every digest is checked, and DIR is only read.\n\n"
        "Where the data folder is absent or empty, it is made from the backup, and `berth serve` can start "
        "on "
        "it at once. Interrupted, it is started again with the same command; until then nothing serves "
        "it.\n\n"
        "Where a server runs, or the data folder holds a registry, what the backup has is brought into it: "
        "every repository, blob, manifest and tag of the backup is there again afterwards, and its tags "
        "point "
        "where the backup says. What is here and not in the backup stays. What is here already is not "
        "copied. "
        "Exit code 6: something could not be restored; it is named.",
    .options = (const struct cli_option[]){{.name = "keep-tags",
                                            .kind = CLI_FLAG,
                                            .at = offsetof(struct options, keep_tags),
                                            .help = "leave alone tags that exist here"},
                                           OPTION_DRY_RUN("only say what would be restored"),
                                           {0}},
    .fields =
        (const struct cli_field[]){{"made", "string", "the moment of the backup"},
                                   {"repositories", "number", "repositories; absent for a new folder"},
                                   {"tags", "number", "tags"},
                                   {"manifests", "number", "manifests; absent for a new folder"},
                                   {"blobs", "number", "blobs"},
                                   {"bytes", "number", "their bytes"},
                                   {"skipped", "number", "what was here already; absent for a new folder"},
                                   {"failed", "number", "what could not be restored; exit code 6"},
                                   FIELD_LINES,
                                   {0}},
    .examples =
        (const struct cli_example[]){{"berth restore /srv/backup/berth --data /var/lib/berth", NULL}, {0}},
    .takes = CLI_SETTINGS | CLI_OUTPUT,
    .run = run_restore,
};

/* --- read-only and reload --- */

static int run_read_only(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(options_done) struct options o = {0};
    int rc = read_options(c, argc, argv, &o);
    if (rc >= 0)
        return rc;
    const char *word = o.base.operands[0];
    if (strcmp(word, "on") != 0 && strcmp(word, "off") != 0)
        return cli_usage(c->name, "say on or off, not '%s'", word);
    add_word(&o, word);
    return ask_and_print(c, &o, print_read_only, NULL, NULL);
}

const struct cli_command cmd_read_only = {
    .name = "read-only",
    .summary = "refuse writes of a running server, or allow them again",
    .operands = "on|off",
    .text = "A running server refuses pushes and deletes from now on, or takes them again. It forgets this "
            "when it "
            "stops; the setting registry.read_only stays.",
    .fields = (const struct cli_field[]){{"read_only", "string", "on or off"}, {0}},
    .examples = (const struct cli_example[]){{"berth read-only on --data /var/lib/berth", NULL}, {0}},
    .takes = CLI_SETTINGS | CLI_OUTPUT,
    .run = run_read_only,
};

static int run_reload(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(options_done) struct options o = {0};
    int rc = read_options(c, argc, argv, &o);
    return rc >= 0 ? rc : ask_and_print(c, &o, print_reload, NULL, NULL);
}

const struct cli_command cmd_reload = {
    .name = "reload",
    .summary = "let a running server read its configuration and certificates again",
    .operands = "",
    .text = "A running server reads its configuration and certificates again, or says what is wrong with "
            "them and "
            "goes on with what it had. Its log names what changed, and what takes a restart.",
    .fields = (const struct cli_field[]){{"reloaded", "string", "true"}, {0}},
    .examples = (const struct cli_example[]){{"berth reload --data /var/lib/berth", NULL}, {0}},
    .takes = CLI_SETTINGS | CLI_OUTPUT,
    .run = run_reload,
};
