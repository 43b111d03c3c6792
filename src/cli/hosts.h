/* cli/hosts.h - settings by registry, in a file of YAML that `berth registry` edits:
 *
 *     default:
 *       timeout: 60
 *     registry.example:5000:
 *       ca-file: /etc/team/ca.pem
 *       header: ["X-Team: app"]
 *
 * A setting is an option of commands on registries (those with .per_host), under its name: what it takes and
 * means stands in their rows alone. The command line comes before the environment, that before the file, and
 * there the host's own entry before `default`. */
#ifndef CLI_HOSTS_H
#define CLI_HOSTS_H

#include "cli/command.h"
#include "cli/environment.h"

#define HOSTS_DEFAULT "default" /* whom an entry without a host is for */

struct host_setting {
    const struct cli_option *option;
    const char **values; /* one, but of CLI_WORDS any number */
    size_t n;
    size_t line, column; /* of the key in the file; 0: it is not from there */
};

struct hosts_entry {
    struct hosts_entry *next;
    const char *name;
    struct host_setting *settings;
    size_t n;
};

/* A file, or what is going to be one. */
struct hosts {
    berth_arena arena; /* of all of it */
    const char *path;  /* NULL: there is no place for one */
    struct hosts_entry *first;
    bool comments; /* it has some, which printing loses */
};

/* Options that are settings of hosts, and elsewhere a command's own. */
extern const struct cli_option host_options[];

/* The @i-th option that may be a setting; NULL: no more. */
const struct cli_option *hosts_option_at(size_t i);
const struct cli_option *hosts_option(berth_str name); /* NULL: there is none */

/* --- the text: hosts_file.c --- */

/* Reads @text, which messages call @file, and adds what stands there. BERTH_E_INVALID:
 * "<file>:<line>:<column>: …". */
int hosts_parse(berth_str text, const char *file, struct hosts *h, berth_error *err);
void hosts_print(const struct hosts *h, berth_buf *out); /* hosts_parse() reads the same in it */
void hosts_done(struct hosts *h);

/* "registry.example", "[::1]:5000", "default". */
bool hosts_name_valid(berth_str name);

/* --- one host's: hosts.c --- */

struct hosts_entry *hosts_find(const struct hosts *h, const char *host); /* NULL: it has no entry */
struct host_setting *host_find(const struct hosts_entry *host, const struct cli_option *o);
/* Puts a setting into @host, in the place of one that is there. */
int hosts_set(struct hosts *h, struct hosts_entry *host, const struct host_setting *s, berth_error *err);
int hosts_add(struct hosts *h, const char *name, struct hosts_entry **ret, berth_error *err);
bool hosts_unset(struct hosts_entry *host, const struct cli_option *o); /* false: it was not there */
bool hosts_remove(struct hosts *h, const char *host);                   /* likewise */
/* Two settings of @host that exclude each other; false: none. */
bool host_contradicts(const struct hosts_entry *host, const struct host_setting **ret_one,
                      const struct host_setting **ret_other);

/* What holds for a host. */
struct host_choice {
    const struct host_setting *setting;
    const struct hosts_entry *from; /* whose entry */
};

/* What the file says for @host and nobody before it does: @given is the command line and the environment. The
 * list and
 * @ret_n are in @arena. A file's name that is relative is so to the folder of the file of settings. */
int hosts_choose(const struct hosts *h, const char *host, const struct cli_given *given, size_t n_given,
                 berth_arena *arena, const struct host_choice **ret, size_t *ret_n, berth_error *err);

/* What the environment says, as if it were given: at most HOSTS_VARIABLES. Returns how many. */
#define HOSTS_VARIABLES 8
size_t hosts_environment(const struct environment *e, struct cli_given out[HOSTS_VARIABLES]);

/* Sets in @b, the state of a command on registries, what holds for @host beside what was given. */
int hosts_apply(const struct hosts *h, const char *host, const struct environment *e, struct cli_base *b,
                berth_error *err);

/* --- the file: hosts_store.c --- */

/* Reads the file of settings: BERTH_HOSTS_FILE, else berth/hosts.yaml in XDG_CONFIG_HOME or ~/.config. One
 * that isn't there is fine. @ret is to be given to hosts_done() in any case. */
int hosts_load(struct hosts *ret, berth_error *err);

/* Has @edit change what the file says, while no other process does, and replaces the file as a whole. What
 * @edit returns but BERTH_OK leaves it as it is. */
int hosts_edit(int (*edit)(void *arg, struct hosts *h, berth_error *err), void *arg, struct hosts *ret,
               berth_error *err);

#endif
