/* cli/remote.h - what the commands on a distant registry share: their options, their operand, and a client.
 */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include "berth/client.h"
#include "cli/cli.h"

/* What the operand has to name. */
enum remote_operand {
    REMOTE_HOST,       /* "registry.example:5000" */
    REMOTE_REPOSITORY, /* "registry.example:5000/team/app"; a tag is passed over */
    REMOTE_REFERENCE,  /* the same with ":tag" or "@digest"; none: ":latest" */
    REMOTE_DIGEST,     /* the same, with "@digest" alone */
};

struct remote_command {
    const char *name; /* "tag list" */
    const char *help;
    enum remote_operand operand;
    bool to_file, chooses; /* knows -o FILE; knows --accept KIND */
    bool asks;             /* for a user name and a password, where they aren't given */
};

struct remote {
    bool json;
    const char *file; /* -o; NULL: standard output */
    berth_accept accept;
    char *host, *repository, *reference; /* reference: a tag or a digest */
    char *username, *password;           /* those that were given or asked for */
    char *auth_file;                     /* Docker's config.json, or what --auth-file says */
    berth_client *client;
};

/* Reads the command line behind the command's words (argv[0] is the last of them) and opens the client. -1:
 * go on; else the exit code, after saying why or printing the help. */
int remote_open(const struct remote_command *c, int argc, char **argv, struct remote *ret);
void remote_done(struct remote *r);

int remote_exit_code(int berth_code);
int remote_fail(const char *command, const berth_error *err); /* prints the sentence; returns its exit code */

/* Flushes standard output; whether all of it was written. */
int remote_printed(const char *command);

/* Takes "docker://registry.example:5000/team/app:tag@digest" apart, with the defaults of Docker Hub for a
 * name that starts with no host. The strings are the caller's to free. BERTH_E_INVALID: no reference. */
int remote_parse(const char *text, enum remote_operand operand, char **ret_host, char **ret_repository,
                 char **ret_reference, berth_error *err);

/* Runs the one of @n commands whose last word is argv[1]. */
int remote_family(const char *family, const char *help, const struct remote_command *const *commands,
                  int (*const *runs)(const struct remote_command *c, int argc, char **argv), size_t n,
                  int argc, char **argv);

int cmd_ping(int argc, char **argv);
int cmd_tag(int argc, char **argv);
int cmd_manifest(int argc, char **argv);
int cmd_blob(int argc, char **argv);
int cmd_login(int argc, char **argv);
int cmd_logout(int argc, char **argv);

#define REMOTE_OPTIONS                                                                                       \
    "  --plain-http        speak HTTP; the rule for localhost, 127.0.0.1 and [::1] unless one of the next "  \
    "two is given\n"                                                                                         \
    "  --ca-file FILE      certificates to trust instead of the system's\n"                                  \
    "  --insecure          take any certificate\n"                                                           \
    "  --username NAME     with --password-stdin; else Docker's config.json is looked into\n"                \
    "  --password-stdin    read the password from standard input\n"                                          \
    "  --auth-file FILE    the file of credentials, instead of Docker's config.json\n"                       \
    "  --timeout SECONDS   give up without progress for so long (30; 0: never)\n"                            \
    "  --output FORMAT     text (for people) or json (for programs)\n"

#endif
