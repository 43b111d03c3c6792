/* cli/remote.c - see remote.h. */
#include "cli/remote.h"

#include <signal.h>
#include <stdio.h>

#include "cli/hint.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/prompt.h"
#include "oci/reference.h"

#define DAY 86400

const struct cli_option remote_options[] = {
    {.name = "plain-http",
     .kind = CLI_FLAG,
     .at = offsetof(struct remote, plain_http),
     .per_host = true,
     .help = "speak HTTP; the rule for localhost, 127.0.0.1 and [::1] unless one of the next three is given"},
    {.name = "https",
     .kind = CLI_FLAG,
     .at = offsetof(struct remote, https),
     .per_host = true,
     .help = "speak HTTPS, to these three as well"},
    {.name = "ca-file",
     .kind = CLI_FILE,
     .value = "FILE",
     .at = offsetof(struct remote, ca_file),
     .per_host = true,
     .help = "certificates to trust instead of the system's"},
    {.name = "insecure",
     .kind = CLI_FLAG,
     .at = offsetof(struct remote, insecure),
     .per_host = true,
     .help = "take any certificate, and plain HTTP where HTTPS is not spoken"},
    {.name = "username",
     .letter = 'u',
     .kind = CLI_TEXT,
     .value = "NAME",
     .at = offsetof(struct remote, username),
     .help = "with --password-stdin; else the file of credentials is looked into"},
    {.name = "password-stdin",
     .kind = CLI_FLAG,
     .at = offsetof(struct remote, password_stdin),
     .help = "read the password from standard input"},
    {.name = "timeout",
     .kind = CLI_NUMBER,
     .value = "SECONDS",
     .max = DAY,
     .at = offsetof(struct remote, timeout),
     .per_host = true,
     .help = "give up without progress for so long (30; of a credential helper, 60; 0: never)"},
    {.name = "connect-timeout",
     .kind = CLI_NUMBER,
     .value = "SECONDS",
     .max = DAY,
     .at = offsetof(struct remote, connect_timeout),
     .per_host = true,
     .help = "give up connecting after so long (--timeout)"},
    {.name = "max-time",
     .kind = CLI_NUMBER,
     .value = "SECONDS",
     .max = 7 * DAY,
     .at = offsetof(struct remote, max_time),
     .per_host = true,
     .help = "give up when a request or the transfer of a blob takes longer, its tries and waits included "
             "(never)"},
    {.name = "retries",
     .kind = CLI_NUMBER,
     .value = "N",
     .max = 1000,
     .at = offsetof(struct remote, retries),
     .per_host = true,
     .help = "so many further tries of what has failed and may not fail again (5)"},
    {.name = "debug",
     .letter = 'v',
     .kind = CLI_FLAG,
     .at = offsetof(struct remote, base.debug),
     .help = "tell of every request and answer on standard error, secrets masked"},
    {0},
};

void remote_done(struct remote *r)
{
    interrupt_end();
    berth_client_free(r->client);
    remote_progress_end(r);
    berth_ref_done(&r->ref);
    if (r->password)
        explicit_bzero(r->password, strlen(r->password));
    mem_free(r->password);
    mem_free(r->asked_name);
    hosts_done(&r->hosts);
    cli_base_done(&r->base);
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

int remote_fail(const struct cli_command *c, const berth_error *err)
{
    bool bare = err->code == BERTH_E_NOT_FOUND && err->http_status == 404 && !err->oci_code[0];
    const char *hint = hint_for(c, err);
    interrupt_wait();
    cli_say(c->name, "%s%s", err->message, bare ? ": it is not there" : "");
    if (hint)
        fprintf(stderr, "try: %s\n", hint);
    return remote_exit_code(err->code);
}

int remote_refuse(const struct cli_command *c, const berth_error *err)
{
    return err->code == BERTH_E_INVALID && !err->http_status ? cli_usage(c->name, "%s", err->message)
                                                             : remote_fail(c, err);
}

int remote_check_file(const struct cli_command *c, const struct remote *r, const char *file)
{
    return strcmp(file, "-") == 0 && r->password_stdin
               ? cli_usage(c->name, "standard input has the password already")
               : -1;
}

/* Control characters, and those of ISO 6429 beyond ASCII, which UTF-8 writes as 0xc2 and one of 32 bytes. */
void remote_print(FILE *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; p && *p; p++) {
        bool beyond = *p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f;
        fputc(*p < 0x20 || *p == 0x7f || beyond ? '?' : *p, out);
        p += beyond;
    }
}

json_t *remote_named_json(const struct remote *r, const char *key, const char *value)
{
    return json_pack("{s:s, s:s}", "name", r->repository, key, value);
}

json_t *remote_manifest_json(const berth_content *m)
{
    return json_pack("{s:s, s:s, s:I}", "digest", m->digest, "mediaType", m->media_type, "size",
                     (json_int_t)m->size);
}

/* --- progress --- */

struct progress *remote_progress(struct remote *r)
{
    if (!r->progress)
        r->progress = progress_new(&r->base, r->command->name);
    return r->progress;
}

void remote_progress_end(struct remote *r)
{
    progress_free(steal(&r->progress));
}

static void on_progress(void *arg, const berth_call *call, const berth_progress *p)
{
    (void)call;
    if (p->total != UINT64_MAX)
        progress_total(arg, p->total);
    progress_found(arg, p->found);
    progress_at(arg, MIN(p->done, p->total));
}

void remote_follow(struct progress_item *item, berth_call *call)
{
    if (item)
        berth_call_on_progress(call, on_progress, item);
}

struct progress_item *remote_watch(struct remote *r, const char *label, berth_call *call)
{
    struct progress_item *item = progress_add(remote_progress(r), label, PROGRESS_UNKNOWN);
    remote_follow(item, call);
    return item;
}

/* Nobody wonders why nothing moves. */
static int on_retry(void *arg, berth_call *call, const berth_retry *retry)
{
    CLEANUP(berth_buf_done) berth_buf wait = BERTH_BUF_INIT(64);
    (void)call;
    progress_seconds(&wait, (retry->wait_ms + 999) / 1000);
    progress_say(remote_progress(arg), "%s; trying again in " STR_FMT, retry->why->message,
                 STR_ARG(berth_buf_str(&wait)));
    return 0;
}

/* Said whatever is asked for: --quiet is of progress alone. */
static void on_warning(void *arg, const char *text)
{
    const struct remote *r = arg;
    progress_hide(r->progress);
    fprintf(stderr, "berth %s: warning: the registry says: ", r->command->name);
    remote_print(stderr, text);
    fputc('\n', stderr);
}

/* --- the operand --- */

#define LAYOUT "oci:"

int remote_parse(const char *text, enum cli_operand operand, berth_ref *ret, berth_error *err)
{
    CLEANUP(berth_ref_done) berth_ref ref = BERTH_REF_INIT;
    berth_ref_options options = BERTH_REF_OPTIONS_INIT;
    berth_digest unused;
    if (str_starts(str_from(text), STR("docker://")))
        text += strlen("docker://");
    struct environment env;
    int r = environment_read(&env, err);
    if (r != BERTH_OK)
        return r;
    options.default_registry = env.registry;
    options.default_namespace = env.namespace;
    if (operand == CLI_OPERAND_REFERENCE)
        options.default_tag = env.tag ? env.tag : "latest";
    r = berth_ref_parse_with(text, &options, &ref, err);
    if (r != BERTH_OK)
        return environment_blame(&env, err);
    if (ref.digest_tag)
        r = berth_ref_digest(&ref, &unused, err);
    if (r == BERTH_OK && operand == CLI_OPERAND_DIGEST && !ref.digest_tag)
        r = berth_error_set(err, BERTH_E_INVALID, "it names no digest: REF@DIGEST is needed");
    if (r != BERTH_OK)
        return r;
    *ret = ref;
    ref = (berth_ref)BERTH_REF_INIT;
    return BERTH_OK;
}

/* Where what follows the last '@' begins, if it looks like a digest. */
static size_t digest_at(berth_str path)
{
    size_t i = path.n;
    while (i && path.p[i - 1] != '@' && path.p[i - 1] != '/')
        i--;
    return i && path.p[i - 1] == '@' ? i : 0;
}

bool remote_parse_layout(const char *text, berth_arena *arena, const char **ret_path, const char **ret_tag,
                         const char **ret_reference)
{
    if (!str_starts(str_from(text), STR(LAYOUT)))
        return false;
    berth_str path = str_from_offset(str_from(text), strlen(LAYOUT)), digest = STR_NULL, tag = STR_NULL;
    size_t at = digest_at(path);
    if (at) {
        digest = str_from_offset(path, at);
        path = str_head(path, at - 1);
    }
    size_t i = path.n;
    while (i && path.p[i - 1] != ':' && path.p[i - 1] != '/')
        i--;
    if (i && path.p[i - 1] == ':') {
        tag = str_from_offset(path, i);
        path = str_head(path, i - 1);
    }
    *ret_path = berth_arena_dup(arena, path);
    *ret_tag = tag.n ? berth_arena_dup(arena, tag) : NULL;
    *ret_reference = digest.n ? berth_arena_dup(arena, digest) : *ret_tag;
    return true;
}

/* "https://registry.example/", as people copy it, is its host and how to speak to it. */
static int read_host(const struct cli_command *c, struct remote *r, const char *text)
{
    berth_str host = str_from(text), name = host;
    if (str_ends(host, STR("/")))
        host.n--;
    const char *scheme = strstr(text, "://");
    name = scheme ? str_from_offset(host, (size_t)(scheme - text) + 3) : host;
    berth_str alone, path;
    if (str_cut(name, '/', &alone, &path)) {
        bool api = str_eq(path, STR("v1")) || str_eq(path, STR("v2")); /* Docker Hub's own name has it */
        if (c->operand != CLI_OPERAND_PLACE)
            return cli_usage(c->name, "'%s' is more than a host: leave out what follows it", text);
        if (!api && !oci_name_valid(path))
            return cli_usage(c->name, "'%s' is no path of repositories", text);
        host.n -= path.n + 1;
        name = api ? alone : name;
    }
    r->host = berth_arena_dup(&r->base.arena, host);
    r->place = berth_arena_dup(&r->base.arena, name);
    return r->host && r->place ? -1 : cli_usage(c->name, "out of memory");
}

/* "localhost:5000" reads as an image of Docker Hub with the tag 5000, which nobody means. */
static bool lacks_name(const char *text, const berth_ref *ref)
{
    berth_str name, tag;
    uint64_t port;
    return !strchr(text, '/') && str_cut(str_from(text), ':', &name, &tag) && str_to_u64(tag, &port) &&
           (memchr(name.p, '.', name.n) || str_eq(name, STR("localhost"))) && ref->symbolic_tag;
}

static int read_operand(const struct cli_command *c, struct remote *r)
{
    berth_error err = BERTH_ERROR_INIT;
    const char *text = r->base.operands[0];
    if (c->operand == CLI_OPERAND_HOST || c->operand == CLI_OPERAND_PLACE)
        return read_host(c, r, text);
    if (remote_parse_layout(text, &r->base.arena, &r->layout, &r->tag, &r->reference)) {
        if (c->takes & CLI_LAYOUT)
            return -1;
        return cli_usage(c->name,
                         "'%s' is an image layout on disk, and this asks a registry (for an image of "
                         "the name 'oci', write docker://%s)",
                         text, text);
    }
    if (remote_parse(text, c->operand, &r->ref, &err) != BERTH_OK)
        return cli_usage(c->name, "'%s': %s", text, err.message);
    if (lacks_name(text, &r->ref))
        return cli_usage(c->name, "'%s' is a host without a repository: %s/NAME is needed", text, text);
    r->host = r->ref.netloc;
    r->repository = r->ref.repository;
    r->tag = r->ref.symbolic_tag;
    r->reference = r->ref.tag;
    return -1;
}

/* --- the client --- */

static int check_options(const struct cli_command *c, const struct remote *r)
{
    if (r->plain_http && r->https)
        return cli_usage(c->name, "--plain-http and --https: which?");
    if (r->plain_http && (r->ca_file || r->insecure))
        return cli_usage(c->name, "--plain-http has no certificates: leave out %s",
                         r->ca_file ? "--ca-file" : "--insecure");
    if (r->username && !*r->username)
        return cli_usage(c->name, "--username: it is empty");
    if (c->takes & CLI_ASKS ? !r->username && r->password_stdin : !r->username != !r->password_stdin)
        return cli_usage(c->name, "--username and --password-stdin go together");
    return -1;
}

/* Those that were given, or are asked for. -1: go on. */
static int find_password(const struct cli_command *c, struct remote *r)
{
    bool asks = c->takes & CLI_ASKS;
    if (asks && !r->username) {
        if (!prompt_line(c->name, "user name: ", true, &r->asked_name))
            return EXIT_USAGE;
        r->username = r->asked_name;
    }
    if (r->password_stdin)
        return prompt_read_all(c->name, &r->password) ? -1 : EXIT_USAGE;
    return !asks || prompt_line(c->name, "password: ", false, &r->password) ? -1 : EXIT_USAGE;
}

/* curl's signs: what goes, what comes. */
static void print_trace(void *arg, berth_trace what, uint64_t exchange, const char *text)
{
    static const char signs[] = {
        [BERTH_TRACE_SENT] = '>', [BERTH_TRACE_RECEIVED] = '<', [BERTH_TRACE_FAILED] = '*'};
    berth_str left = str_from(text), line;
    (void)arg, (void)exchange;
    while (left.n) {
        str_cut(left, '\n', &line, &left);
        fprintf(stderr, "%c " STR_FMT "\n", signs[what], STR_ARG(line));
    }
    fprintf(stderr, "%c\n", signs[what]);
}

static bool is_told(const struct remote *r, const char *option)
{
    for (size_t i = 0; i < r->base.n_given; i++)
        if (strcmp(r->base.given[i].option->name, option) == 0)
            return true;
    return false;
}

/* Options come before variables, and those before the rule for localhost. Certificates that are for this host
 * mean HTTPS, those that are for any host don't. */
static berth_transport transport_of(const struct remote *r, const char *host)
{
    if (strstr(host, "://"))
        return BERTH_TRANSPORT_AUTO; /* it says so itself */
    if (r->plain_http)
        return BERTH_TRANSPORT_HTTP;
    bool tls = r->https || is_told(r, "ca-file") || is_told(r, "client-cert");
    return tls ? BERTH_TRANSPORT_HTTPS : r->env.transport;
}

/* How long a helper may take, who may be asking somebody: as long as the registry, where that is said. */
static void limit_helpers(struct remote *r)
{
    if (is_told(r, "timeout") || r->timeout != REMOTE_TIMEOUT)
        r->connect.credentials.helper_timeout_ms = (uint32_t)r->timeout * 1000;
}

/* With the options in @r, for a command whose state is @owner. */
static int open_client(const struct remote *r, const struct remote *owner, const char *host,
                       berth_client **ret_client, berth_error *err)
{
    berth_client_options options = BERTH_CLIENT_OPTIONS_INIT;
    options.ca_file = r->ca_file ? r->ca_file : r->env.ca_file;
    options.trace = r->base.debug || r->env.debug ? print_trace : NULL;
    options.username = r->username;
    options.password = r->password;
    options.timeout_ms = (uint32_t)r->timeout * 1000;
    options.connect_timeout_ms = (uint32_t)r->connect_timeout * 1000;
    options.call_timeout_ms = (uint32_t)r->max_time * 1000;
    options.retries = (unsigned)r->retries;
    connect_apply(&r->connect, &options);
    options.insecure = r->insecure;
    options.on_retry = on_retry;
    options.on_retry_arg = (void *)(uintptr_t)owner; /* its progress alone is touched */
    options.on_warning = on_warning;
    options.on_warning_arg = options.on_retry_arg;
    options.transport = transport_of(r, host);
    return berth_client_new(host, &options, ret_client, err);
}

int remote_client(const struct remote *r, const char *host, berth_client **ret_client, berth_error *err)
{
    if (r->applied && strcmp(host, r->applied) == 0)
        return open_client(r, r, host, ret_client, err);
    struct remote other = r->told ? *r->told : *r;
    other.base.arena = (berth_arena)BERTH_ARENA_INIT;
    other.username = r->username;
    other.password = r->password;
    if (other.connect.bearer_file == r->connect.bearer_file)
        other.connect.bearer = r->connect.bearer; /* what it was read from may be a pipe */
    int rc = hosts_apply(&r->hosts, host, &r->env, &other.base, err);
    if (rc == BERTH_OK)
        rc = connect_prepare(r->command, &other.connect, r->env.credentials, &other.base.arena, err);
    limit_helpers(&other);
    if (rc == BERTH_OK)
        rc = open_client(&other, r, host, ret_client, err);
    berth_arena_done(&other.base.arena);
    return rc;
}

/* The settings of the operand's host, and how others are opened without them. */
static int take_settings(struct remote *r, berth_error *err)
{
    if (!r->host)
        return BERTH_OK;
    struct remote *told = berth_arena_alloc(&r->base.arena, sizeof(*told));
    if (!told)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    *told = *r;
    r->told = told;
    r->applied = r->host;
    return hosts_apply(&r->hosts, r->host, &r->env, &r->base, err);
}

static int read_hosts(const struct cli_command *c, struct remote *r)
{
    berth_error err = BERTH_ERROR_INIT;
    if (hosts_load(&r->hosts, &err) == BERTH_OK)
        return -1;
    cli_say(c->name, "%s", err.message);
    return err.code == BERTH_E_INVALID ? EXIT_CONFIG : remote_exit_code(err.code);
}

int remote_open(const struct cli_command *c, int argc, char **argv, struct remote *r)
{
    berth_error err = BERTH_ERROR_INIT;
    r->command = c;
    int rc = cli_read(c, argc, argv, &r->base);
    if (rc < 0)
        rc = check_options(c, r);
    if (rc < 0 && environment_read(&r->env, &err) != BERTH_OK)
        rc = cli_usage(c->name, "%s", err.message);
    if (rc < 0)
        environment_warn(c->name);
    if (rc < 0 && c->operand != CLI_OPERAND_NONE)
        rc = read_operand(c, r);
    if (rc < 0)
        rc = read_hosts(c, r);
    if (rc >= 0)
        return rc;
    signal(SIGPIPE,
           SIG_IGN); /* a peer that leaves is an error of its call; cli_printed() minds standard output */
    int result = take_settings(r, &err);
    if (result == BERTH_OK)
        result = connect_prepare(c, &r->connect, r->env.credentials, &r->base.arena, &err);
    if (result != BERTH_OK)
        return remote_refuse(c, &err);
    limit_helpers(r);
    rc = find_password(c, r);
    if (rc >= 0)
        return rc;
    if (!r->host)
        return -1;
    return remote_client(r, r->host, &r->client, &err) == BERTH_OK ? -1 : remote_refuse(c, &err);
}
