/* cli/connect.c - see connect.h. */
#include "cli/connect.h"

#include <stdio.h>

#include "cli/remote.h"
#include "util/io.h"

#define BEARER_MAX (256 * KIB)

#define AT(member) offsetof(struct remote, connect.member)

const struct cli_option connect_options[] = {
    {.name = "auth-file",
     .kind = CLI_FILE,
     .value = "FILE",
     .at = AT(auth_file),
     .per_host = true,
     .help =
         "the file of credentials (REGISTRY_AUTH_FILE; else Docker's config.json, then Podman's auth.json)"},
    {.name = "helpers",
     .kind = CLI_CHOICE,
     .value = "fail|warn|static-first|off",
     .at = AT(helpers),
     .per_host = true,
     .help = "credential helpers that it names: one that fails ends the command or is warned of; asked only "
             "where the file has no entry; never asked (fail). One that takes longer than --timeout, or 60 "
             "seconds without it, is ended"},
    {.name = "bearer-file",
     .kind = CLI_FILE,
     .value = "FILE",
     .at = AT(bearer_file),
     .per_host = true,
     .help = "a bearer token to send as it is"},
    {.name = "scope",
     .kind = CLI_TEXT,
     .value = "SCOPE",
     .at = AT(scope),
     .help = "ask for tokens of this scope, whatever the command needs"},
    {.name = "basic-fallback",
     .kind = CLI_FLAG,
     .at = AT(basic_fallback),
     .per_host = true,
     .help = "where no token is to be had, send the password to the registry itself"},
    {.name = "client-cert",
     .kind = CLI_FILE,
     .value = "FILE",
     .at = AT(client_cert),
     .per_host = true,
     .help = "a certificate to show, in PEM"},
    {.name = "client-key",
     .kind = CLI_FILE,
     .value = "FILE",
     .at = AT(client_key),
     .per_host = true,
     .help = "its key, where that is not in the same file"},
    {.name = "certs-dir",
     .kind = CLI_WORDS,
     .value = "DIR",
     .at = AT(certs_dirs),
     .per_host = true,
     .help = "folders of certificates by host (/etc/docker/certs.d, /etc/containers/certs.d)"},
    {.name = "proxy",
     .kind = CLI_TEXT,
     .value = "URL",
     .at = AT(proxy),
     .per_host = true,
     .help = "http, https or socks5h, with name and password where it wants them (https_proxy, http_proxy)"},
    {.name = "no-proxy",
     .kind = CLI_TEXT,
     .value = "HOSTS",
     .at = AT(no_proxy),
     .per_host = true,
     .help = "hosts that are reached without it, parted by commas (no_proxy)"},
    {.name = "resolve",
     .kind = CLI_WORDS,
     .value = "HOST:PORT:ADDRESS",
     .at = AT(resolve),
     .per_host = true,
     .help = "where to find a host, instead of asking for its name"},
    {.name = "ipv4", .letter = '4', .kind = CLI_FLAG, .at = AT(ipv4), .per_host = true, .help = "IPv4 alone"},
    {.name = "ipv6", .letter = '6', .kind = CLI_FLAG, .at = AT(ipv6), .per_host = true, .help = "IPv6 alone"},
    {.name = "unix-socket",
     .kind = CLI_FILE,
     .value = "PATH",
     .at = AT(unix_socket),
     .per_host = true,
     .help = "reach the registry through a socket in the file system"},
    {.name = "header",
     .kind = CLI_WORDS,
     .value = "'NAME: VALUE'",
     .at = AT(headers),
     .per_host = true,
     .help = "send this header with every request to the registry"},
    {.name = "ns",
     .kind = CLI_TEXT,
     .value = "HOST",
     .at = AT(ns),
     .per_host = true,
     .help = "tell a mirror for which registry it shall answer"},
    {.name = "rate-reserve",
     .kind = CLI_NUMBER,
     .value = "N",
     .at = AT(rate_reserve),
     .per_host = true,
     .help = "wait while the registry says that fewer requests are left to us (RateLimit-Remaining)"},
    {.name = "requests-at-once",
     .kind = CLI_NUMBER,
     .value = "N",
     .max = 1024,
     .at = AT(at_once),
     .per_host = true,
     .help = "requests that may be under way at once (8 that read and 4 that write)"},
    {.name = "requests-per-second",
     .kind = CLI_NUMBER,
     .value = "N",
     .max = 1000000,
     .at = AT(per_second),
     .per_host = true,
     .help = "send no more than so many"},
    {.name = "user-agent",
     .kind = CLI_TEXT,
     .value = "TEXT",
     .at = AT(user_agent),
     .per_host = true,
     .help = "the client's name and version (berth/VERSION)"},
    {0},
};

/* --- where files are --- */

static const char *from_environment(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

/* "<folder><rest>", if there is a folder. */
static const char *below(berth_arena *arena, const char *folder, const char *rest)
{
    return folder ? berth_arena_printf(arena, "%s%s", folder, rest) : NULL;
}

static const char **find_files(const struct connect *n, const char *file, berth_arena *arena)
{
    const char *told = n->auth_file ? n->auth_file : file ? file : from_environment("REGISTRY_AUTH_FILE");
    const char *docker = from_environment("DOCKER_CONFIG"), *home = from_environment("HOME");
    const char *config = from_environment("XDG_CONFIG_HOME");
    const char *all[] = {told,
                         told     ? NULL
                         : docker ? below(arena, docker, "/config.json")
                                  : below(arena, home, "/.docker/config.json"),
                         told ? NULL
                              : below(arena, from_environment("XDG_RUNTIME_DIR"), "/containers/auth.json"),
                         told     ? NULL
                         : config ? below(arena, config, "/containers/auth.json")
                                  : below(arena, home, "/.config/containers/auth.json")};
    const char **files = berth_arena_alloc(arena, (COUNT(all) + 1) * sizeof(*files));
    for (size_t i = 0, k = 0; files && i < COUNT(all); i++)
        if (all[i])
            files[k++] = all[i];
    return files;
}

static const char **find_folders(const struct connect *n, berth_arena *arena)
{
    const char *home = from_environment("HOME");
    const char *usual[] = {below(arena, home, "/.docker/certs.d"),
                           below(arena, home, "/.config/containers/certs.d"), "/etc/docker/certs.d",
                           "/etc/containers/certs.d"};
    const char *const *from = n->certs_dirs.n ? n->certs_dirs.p : usual;
    size_t count = n->certs_dirs.n ? n->certs_dirs.n : COUNT(usual);
    const char **folders = berth_arena_alloc(arena, (count + 1) * sizeof(*folders));
    for (size_t i = 0, k = 0; folders && i < count; i++)
        if (from[i])
            folders[k++] = from[i];
    return folders;
}

static const char **ended(const struct cli_words *words, berth_arena *arena)
{
    const char **list = berth_arena_alloc(arena, (words->n + 1) * sizeof(*list));
    if (list && words->n)
        memcpy(list, words->p, words->n * sizeof(*list));
    return list;
}

/* --- what is made of them --- */

static void warn(void *arg, const char *s)
{
    const struct cli_command *c = arg;
    fprintf(stderr, "berth %s: warning: %s\n", c->name, s);
}

static int read_bearer(struct connect *n, berth_arena *arena, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(BEARER_MAX);
    int r = io_read_file(n->bearer_file, &text, err);
    if (r != BERTH_OK)
        return r;
    while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        text.n--;
    n->bearer = berth_arena_dup(arena, berth_buf_str(&text));
    explicit_bzero(text.p ? text.p : (char[1]){0}, text.n);
    return n->bearer && *n->bearer
               ? BERTH_OK
               : berth_error_set(err, BERTH_E_INVALID, "there is no token in '%s'", n->bearer_file);
}

int connect_prepare(const struct cli_command *c, struct connect *n, const char *file, berth_arena *arena,
                    berth_error *err)
{
    if (n->ipv4 && n->ipv6)
        return berth_error_set(err, BERTH_E_INVALID, "--ipv4 and --ipv6 leave nothing");
    int r = n->bearer_file && !n->bearer ? read_bearer(n, arena, err) : BERTH_OK;
    if (r != BERTH_OK)
        return r;
    n->files = find_files(n, file, arena);
    n->folders = find_folders(n, arena);
    n->resolves = ended(&n->resolve, arena);
    if (!n->files || !n->folders || !n->resolves)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    n->by_hand = (berth_credential)BERTH_CREDENTIAL_INIT;
    n->by_hand.bearer_token = n->bearer;
    n->given[0] = n->bearer ? &n->by_hand : NULL;
    n->credentials = (berth_credentials_options)BERTH_CREDENTIALS_OPTIONS_INIT;
    n->credentials.given = n->given;
    n->credentials.files = n->files;
    n->credentials.helpers = (berth_helpers)n->helpers;
    n->credentials.scope = n->scope;
    n->credentials.fall_back_to_basic = n->basic_fallback;
    n->credentials.warn = warn;
    n->credentials.warn_arg = (void *)(uintptr_t)c;
    n->connection = (berth_connection_options)BERTH_CONNECTION_OPTIONS_INIT;
    n->connection.client_certificate = n->client_cert;
    n->connection.client_key = n->client_key;
    n->connection.certs_folders = n->folders;
    n->connection.proxy = n->proxy;
    n->connection.no_proxy = n->no_proxy;
    n->connection.resolve = n->resolves;
    n->connection.unix_socket = n->unix_socket;
    n->connection.ns = n->ns;
    n->connection.family = n->ipv4 ? BERTH_FAMILY_IPV4 : n->ipv6 ? BERTH_FAMILY_IPV6 : BERTH_FAMILY_ANY;
    return BERTH_OK;
}

void connect_apply(const struct connect *n, berth_client_options *options)
{
    options->credentials = &n->credentials;
    options->connection = &n->connection;
    options->user_agent = n->user_agent;
    options->rate_reserve = n->rate_reserve;
    options->headers = n->headers.p;
    options->n_headers = n->headers.n;
    options->requests_per_second = (unsigned)n->per_second;
    if (n->at_once)
        options->reads_at_once = options->writes_at_once = (unsigned)n->at_once;
}
