/* cli/remote.h - what the commands on a distant registry share: their options, their operand, and a client.
 */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include <berth/client.h>
#include <berth/reference.h>
#include <stdio.h>

#include "cli/connect.h"
#include "cli/environment.h"
#include "cli/hosts.h"

/* The state of every command with CLI_REGISTRY begins with it. */
struct remote {
    struct cli_base base;
    bool plain_http, https, insecure, password_stdin;
    const char *ca_file, *username;
    uint64_t timeout, connect_timeout, max_time; /* seconds */
    uint64_t retries;
    uint64_t chunk_size; /* that the file of settings says; 0: nothing */
    struct environment env;
    berth_ref ref; /* of the first operand; what follows is lent by it */
    const char *host, *repository;
    const char *place;     /* of an operand that is one: the host without a scheme, and what follows it */
    const char *reference; /* a tag or a digest */
    const char *tag;       /* the tag, also where the digest counts; NULL: none */
    const char *layout;    /* "oci:PATH" was given: the path; then there is no host and no client */
    berth_client *client;
    char *asked_name, *password;
    struct connect connect;
    struct progress *progress; /* NULL until something moves */
    const struct cli_command *command;
    struct hosts hosts;
    const struct remote *told; /* as the command line left it, for other hosts; NULL: the same */
    const char *applied;       /* whose settings have been taken; NULL: nobody's */
};
#define REMOTE_TIMEOUT 30 /* seconds */
#define REMOTE_INIT                                                                                          \
    {                                                                                                        \
        .timeout = REMOTE_TIMEOUT, .retries = 5, .ref = BERTH_REF_INIT                                       \
    }

extern const struct cli_option remote_options[];

/* Reads the command line, the first operand as the row says, and opens the client. -1: go on; else the exit
 * code, after saying why or printing the help. */
int remote_open(const struct cli_command *c, int argc, char **argv, struct remote *ret);
void remote_done(struct remote *r);

/* For CLEANUP of a state that holds nothing else to be freed. */
static inline void remote_donep(struct remote **r)
{
    remote_done(*r);
}

/* A client with the same options, and with the settings of @host beside them: also for a second operand on
 * another host. */
int remote_client(const struct remote *r, const char *host, berth_client **ret_client, berth_error *err);

/* Shows how far @call is, under @label, from its start on; progress ends before anything is printed. The item
 * is lent, or NULL. */
struct progress_item *remote_watch(struct remote *r, const char *label, berth_call *call);
void remote_follow(struct progress_item *item, berth_call *call); /* from here on of this call */
struct progress *remote_progress(struct remote *r); /* for items of the command's own; NULL without memory */
void remote_progress_end(struct remote *r);

int remote_exit_code(int berth_code);
/* Says what went wrong, and what may help; returns its exit code. */
int remote_fail(const struct cli_command *c, const berth_error *err);
/* The same where BERTH_E_INVALID without any answer means the command line. */
int remote_refuse(const struct cli_command *c, const berth_error *err);

/* What a FILE operand of "-" needs: standard input, unless the password came that way. -1: go on. */
int remote_check_file(const struct cli_command *c, const struct remote *r, const char *file);

/* Prints a stranger's text with what could act on a terminal replaced. */
void remote_print(FILE *out, const char *text);

/* For documents: {"name": the repository, @key: @value}. */
json_t *remote_named_json(const struct remote *r, const char *key, const char *value);
/* {"digest":…,"mediaType":…,"size":…} */
json_t *remote_manifest_json(const berth_content *m);

/* Reads "docker://registry.example:5000/team/app:tag@digest", the prefix being a matter of taste. Where
 * @operand needs one and there is none, the tag is "latest"; @env may have other defaults. BERTH_E_INVALID
 * says what is wrong with it. */
int remote_parse(const char *text, enum cli_operand operand, berth_ref *ret, berth_error *err);

/* "oci:PATH[:TAG][@DIGEST]": true, and the parts, in the arena. *@ret_reference is the digest, or else the
 * tag; NULL without any. */
bool remote_parse_layout(const char *text, berth_arena *arena, const char **ret_path, const char **ret_tag,
                         const char **ret_reference);

#endif
