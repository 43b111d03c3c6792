/* cli/remote.c - see remote.h. */
#include "cli/remote.h"

#include <stdio.h>

#include "cli/prompt.h"
#include "oci/reference.h"

#define HUB "registry-1.docker.io"

struct options {
    bool help, plain_http, insecure, password_stdin;
    const char *ca_file, *username, *auth_file, *operand;
    uint32_t timeout_ms;
};

void remote_done(struct remote *r)
{
    berth_client_free(r->client);
    free(r->host);
    free(r->repository);
    free(r->reference);
    free(r->username);
    if (r->password)
        explicit_bzero(r->password, strlen(r->password));
    free(r->password);
    free(r->auth_file);
}

int remote_exit_code(int code)
{
    switch (code) {
    case BERTH_E_UNAUTH:
    case BERTH_E_DENIED:
        return EXIT_DENIED;
    case BERTH_E_NETWORK:
        return EXIT_NETWORK;
    case BERTH_E_DIGEST:
        return EXIT_DIGEST;
    default:
        return cli_exit_code(code);
    }
}

int remote_fail(const char *command, const berth_error *err)
{
    cli_fail(command, err);
    return remote_exit_code(err->code);
}

int remote_printed(const char *command)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_OK;
    fprintf(stderr, "berth %s: writing to standard output failed\n", command);
    return EXIT_FAILED;
}

/* --- the operand --- */

static bool names_host(berth_str first)
{
    return memchr(first.p, '.', first.n) || memchr(first.p, ':', first.n) ||
           str_eq(first, STR("localhost")) || str_starts(first, STR("["));
}

static int parse_reference(berth_str text, berth_str name, berth_str tag, berth_str digest,
                           enum remote_operand operand, berth_error *err)
{
    oci_reference ref;
    if (!oci_name_valid(name))
        return berth_error_set(err, BERTH_E_INVALID,
                               "'" STR_FMT "': '" STR_FMT "' is not a valid name of a repository",
                               STR_ARG(text), STR_ARG(name));
    if (tag.n && !oci_tag_valid(tag))
        return berth_error_set(err, BERTH_E_INVALID, "'" STR_FMT "': '" STR_FMT "' is not a valid tag",
                               STR_ARG(text), STR_ARG(tag));
    if (digest.n && (oci_reference_parse(digest, &ref, err) != BERTH_OK || !ref.is_digest))
        return berth_error_set(err, BERTH_E_INVALID, "'" STR_FMT "': '" STR_FMT "' is not a valid digest",
                               STR_ARG(text), STR_ARG(digest));
    if (operand == REMOTE_DIGEST && !digest.n)
        return berth_error_set(err, BERTH_E_INVALID, "'" STR_FMT "' names no digest: REF@DIGEST is needed",
                               STR_ARG(text));
    return BERTH_OK;
}

int remote_parse(const char *text, enum remote_operand operand, char **ret_host, char **ret_repository,
                 char **ret_reference, berth_error *err)
{
    berth_str whole = str_from(text), left = whole, host, rest, digest, tag = STR("");
    if (str_starts(left, STR("docker://")))
        left = str_from_offset(left, 9);
    bool in_hub = !str_cut(left, '/', &host, &rest) || !names_host(host);
    if (in_hub) {
        host = STR(HUB);
        rest = left;
    } else if (str_eq(host, STR("docker.io")) || str_eq(host, STR("index.docker.io"))) {
        host = STR(HUB);
        in_hub = true;
    }
    str_cut(rest, '@', &rest, &digest);
    size_t colon = rest.n;
    while (colon && rest.p[colon - 1] != ':' && rest.p[colon - 1] != '/')
        colon--;
    if (colon && rest.p[colon - 1] == ':') {
        tag = str_from_offset(rest, colon);
        rest = str_head(rest, colon - 1);
    }
    int r = parse_reference(whole, rest, tag, digest, operand, err);
    if (r != BERTH_OK)
        return r;
    bool in_library = in_hub && !memchr(rest.p, '/', rest.n);
    CLEANUP(berth_buf_done) berth_buf name = BERTH_BUF_INIT(4 * KIB);
    berth_buf_addf(&name, "%s" STR_FMT, in_library ? "library/" : "", STR_ARG(rest));
    *ret_host = str_dup(host);
    *ret_repository = berth_buf_take(&name);
    *ret_reference = str_dup(digest.n ? digest : tag.n ? tag : STR("latest"));
    return *ret_host && *ret_repository && *ret_reference
               ? BERTH_OK
               : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

/* --- the options --- */

/* The value of option @i: behind '=', or the next word. NULL: said that there is none. */
static const char *value_of(const char *command, int argc, char **argv, int *i)
{
    const char *equals = strncmp(argv[*i], "--", 2) == 0 ? strchr(argv[*i], '=') : NULL;
    if (equals)
        return equals + 1;
    if (*i + 1 < argc)
        return argv[++*i];
    cli_usage(command, "%s needs a value", argv[*i]);
    return NULL;
}

static bool is_option(const char *word, const char *name)
{
    size_t n = strlen(name);
    return strncmp(word, name, n) == 0 && (!word[n] || (word[n] == '=' && word[1] == '-'));
}

/* One that has a value: 1, taken; 0, not one; -1, said what is wrong. */
static int take_valued(const struct remote_command *c, int argc, char **argv, int *i, struct options *o,
                       struct remote *r)
{
    static const char *const names[] = {"--ca-file", "--username", "--timeout",  "--output",
                                        "-o",        "--accept",   "--auth-file"};
    static const char *const kinds[] = {
        [BERTH_ACCEPT_ANY] = "any", [BERTH_ACCEPT_IMAGE] = "image", [BERTH_ACCEPT_INDEX] = "index"};
    size_t which = 0;
    while (which < COUNT(names) && !is_option(argv[*i], names[which]))
        which++;
    if (which == COUNT(names) || (which == 4 && !c->to_file) || (which == 5 && !c->chooses))
        return 0;
    const char *v = value_of(c->name, argc, argv, i);
    uint64_t seconds;
    if (!v)
        return -1;
    switch (which) {
    case 0:
        o->ca_file = v;
        return 1;
    case 1:
        o->username = v;
        return 1;
    case 2:
        if (!str_to_u64(str_from(v), &seconds) || seconds > 86400) {
            cli_usage(c->name, "--timeout is a number of seconds, at most 86400, not '%s'", v);
            return -1;
        }
        o->timeout_ms = (uint32_t)seconds * 1000;
        return 1;
    case 3:
        r->json = strcmp(v, "json") == 0;
        if (r->json || strcmp(v, "text") == 0)
            return 1;
        cli_usage(c->name, "--output is text or json, not '%s'", v);
        return -1;
    case 4:
        r->file = strcmp(v, "-") == 0 ? NULL : v;
        return 1;
    case 6:
        o->auth_file = v;
        return 1;
    default:
        for (size_t k = 0; k < COUNT(kinds); k++)
            if (strcmp(v, kinds[k]) == 0) {
                r->accept = (berth_accept)k;
                return 1;
            }
        cli_usage(c->name, "--accept is any, image or index, not '%s'", v);
        return -1;
    }
}

/* -1: go on. */
static int read_words(const struct remote_command *c, int argc, char **argv, struct options *o,
                      struct remote *r)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"--help", &o->help},
                 {"-h", &o->help},
                 {"--plain-http", &o->plain_http},
                 {"--insecure", &o->insecure},
                 {"--password-stdin", &o->password_stdin}};
    for (int i = 1; i < argc; i++) {
        int took = take_valued(c, argc, argv, &i, o, r);
        for (size_t k = 0; k < COUNT(flags) && took == 0; k++)
            if (strcmp(argv[i], flags[k].name) == 0)
                took = *flags[k].flag = true;
        if (took < 0)
            return EXIT_USAGE;
        if (took)
            continue;
        if (argv[i][0] == '-')
            return cli_usage(c->name, "'%s' is not an option", argv[i]);
        if (o->operand)
            return cli_usage(c->name, "'%s' is one word too many", argv[i]);
        o->operand = argv[i];
    }
    if (o->help) {
        printf("%s", c->help);
        return EXIT_OK;
    }
    if (!o->operand)
        return cli_usage(c->name, "%s is missing", c->operand == REMOTE_HOST ? "HOST" : "REF");
    if (o->plain_http && (o->ca_file || o->insecure))
        return cli_usage(c->name, "--plain-http has no certificates");
    if (c->asks ? !o->username && o->password_stdin : !o->username != !o->password_stdin)
        return cli_usage(c->name, "--username and --password-stdin go together");
    return -1;
}

/* --auth-file, or Docker's: ~/.docker/config.json, or where DOCKER_CONFIG says. */
static bool find_auth_file(const struct options *o, struct remote *ret)
{
    const char *folder = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
    bool told = folder && *folder;
    CLEANUP(berth_buf_done) berth_buf path = BERTH_BUF_INIT(16 * KIB);
    if (o->auth_file)
        berth_buf_addf(&path, "%s", o->auth_file);
    else if (told || (home && *home))
        berth_buf_addf(&path, "%s%s/config.json", told ? folder : home, told ? "" : "/.docker");
    else
        return true;
    ret->auth_file = berth_buf_take(&path);
    return ret->auth_file;
}

/* Those that were given, or are asked for. -1: go on. */
static int find_password(const struct remote_command *c, const struct options *o, struct remote *ret)
{
    if (o->username)
        ret->username = str_dup(str_from(o->username));
    else if (c->asks && !prompt_line(c->name, "user name: ", true, &ret->username))
        return EXIT_USAGE;
    if (o->password_stdin)
        return prompt_read_all(c->name, &ret->password) ? -1 : EXIT_USAGE;
    return !c->asks || prompt_line(c->name, "password: ", false, &ret->password) ? -1 : EXIT_USAGE;
}

int remote_open(const struct remote_command *c, int argc, char **argv, struct remote *ret)
{
    struct options o = {.timeout_ms = 30000};
    berth_error err = BERTH_ERROR_INIT;
    int rc = read_words(c, argc, argv, &o, ret);
    if (rc >= 0)
        return rc;
    int r = BERTH_OK;
    if (c->operand == REMOTE_HOST)
        ret->host = str_dup(str_from(o.operand));
    else
        r = remote_parse(o.operand, c->operand, &ret->host, &ret->repository, &ret->reference, &err);
    if (r != BERTH_OK)
        return cli_usage(c->name, "%s", err.message);
    rc = find_password(c, &o, ret);
    if (rc >= 0)
        return rc;
    if (!find_auth_file(&o, ret))
        return cli_usage(c->name, "the name of the file of credentials is too long");
    berth_client_options options = BERTH_CLIENT_OPTIONS_INIT;
    options.ca_file = o.ca_file;
    options.username = ret->username;
    options.password = ret->password;
    options.credentials_file = ret->auth_file;
    options.timeout_ms = o.timeout_ms;
    options.insecure = o.insecure;
    options.transport = o.plain_http              ? BERTH_TRANSPORT_HTTP
                        : o.ca_file || o.insecure ? BERTH_TRANSPORT_HTTPS
                                                  : BERTH_TRANSPORT_AUTO;
    r = berth_client_new(ret->host, &options, &ret->client, &err);
    if (r == BERTH_E_INVALID)
        return cli_usage(c->name, "%s", err.message);
    return r == BERTH_OK ? -1 : remote_fail(c->name, &err);
}

int remote_family(const char *family, const char *help, const struct remote_command *const *commands,
                  int (*const *runs)(const struct remote_command *c, int argc, char **argv), size_t n,
                  int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        printf("%s", help);
        return argc < 2 ? EXIT_USAGE : EXIT_OK;
    }
    for (size_t i = 0; i < n; i++)
        if (strcmp(strchr(commands[i]->name, ' ') + 1, argv[1]) == 0)
            return runs[i](commands[i], argc - 1, argv + 1);
    return cli_usage(family, "'%s' is not one of its commands", argv[1]);
}
