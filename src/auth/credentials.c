/* auth/credentials.c - see credentials.h. */
#include "auth/credentials.h"

#include <jansson.h>

#include "util/base64.h"

#define SECRET_MAX (64 * KIB)

static void unrefp(json_t **j)
{
    json_decref(*j);
}

/* Docker Hub has three names, and its entry in the file a fourth. */
static berth_str canonical_host(berth_str host)
{
    bool hub =
        str_eq_nocase(host, STR("index.docker.io")) || str_eq_nocase(host, STR("registry-1.docker.io"));
    return hub ? STR("docker.io") : host;
}

/* A key as host and path. */
static void split_key(berth_str key, berth_str *ret_host, berth_str *ret_path)
{
    if (str_starts(key, STR("https://")))
        key = str_from_offset(key, 8);
    else if (str_starts(key, STR("http://")))
        key = str_from_offset(key, 7);
    str_cut(key, '/', ret_host, ret_path);
    while (str_ends(*ret_path, STR("/")))
        ret_path->n--;
    if (str_eq(*ret_path, STR("v1")) || str_eq(*ret_path, STR("v2")))
        *ret_path = STR("");
}

/* "team" leads to "team" and "team/app", not to "teams". */
static bool leads_to(berth_str path, berth_str repository)
{
    return !path.n ||
           (str_starts(repository, path) && (repository.n == path.n || repository.p[path.n] == '/'));
}

/* Copied; empty where it is absent. .p NULL: no memory. */
static berth_str member(const json_t *j, const char *key, berth_arena *arena)
{
    const json_t *v = json_object_get(j, key);
    if (!json_is_string(v) || !json_string_length(v))
        return STR("");
    return berth_arena_str(arena, (berth_str){json_string_value(v), json_string_length(v)});
}

static int read_entry(const json_t *entry, berth_str host, berth_arena *arena, auth_credentials *ret,
                      berth_error *err)
{
    auth_credentials c = {member(entry, "username", arena), member(entry, "password", arena),
                          member(entry, "identitytoken", arena), member(entry, "registrytoken", arena)};
    berth_str encoded = member(entry, "auth", arena);
    if (encoded.n) {
        CLEANUP(berth_buf_done) berth_buf pair = BERTH_BUF_INIT(SECRET_MAX);
        berth_str username, password;
        if (!base64_decode(encoded, &pair) || !str_cut(berth_buf_str(&pair), ':', &username, &password))
            return berth_error_set(err, BERTH_E_INVALID,
                                   "\"auth\" of '" STR_FMT "' is not \"user:password\" in base64",
                                   STR_ARG(host));
        while (str_ends(password, (berth_str){"", 1})) /* docker pads with NUL */
            password.n--;
        c.username = berth_arena_str(arena, username);
        c.password = berth_arena_str(arena, password);
    }
    if (!encoded.p || !c.username.p || !c.password.p || !c.identity_token.p || !c.registry_token.p)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    if (!c.username.n && !c.identity_token.n && !c.registry_token.n)
        return berth_error_set(err, BERTH_E_NOT_FOUND, "no credentials for '" STR_FMT "'", STR_ARG(host));
    *ret = c;
    return BERTH_OK;
}

int auth_credentials_find(berth_str config, berth_str host, berth_str repository, berth_arena *arena,
                          auth_credentials *ret, berth_error *err)
{
    json_error_t why;
    CLEANUP(unrefp) json_t *j = json_loadb(config.n ? config.p : "", config.n, 0, &why);
    if (!json_is_object(j))
        return berth_error_set(err, BERTH_E_INVALID, "the file of credentials is no JSON object (line %d)",
                               j ? 1 : why.line);
    const json_t *best = NULL;
    size_t best_length = 0;
    const char *name;
    json_t *entry;
    json_object_foreach(json_object_get(j, "auths"), name, entry)
    {
        berth_str key_host, path;
        split_key(str_from(name), &key_host, &path);
        if (json_is_object(entry) && str_eq_nocase(canonical_host(key_host), canonical_host(host)) &&
            leads_to(path, repository) && (!best || path.n > best_length)) {
            best = entry;
            best_length = path.n;
        }
    }
    if (!best)
        return berth_error_set(err, BERTH_E_NOT_FOUND, "no credentials for '" STR_FMT "'", STR_ARG(host));
    return read_entry(best, host, arena, ret, err);
}

void auth_print_basic(berth_buf *out, berth_str username, berth_str password)
{
    CLEANUP(berth_buf_done) berth_buf pair = BERTH_BUF_INIT(2 * SECRET_MAX);
    berth_buf_add_str(&pair, username);
    berth_buf_putc(&pair, ':');
    berth_buf_add_str(&pair, password);
    berth_buf_add(out, "Basic ", 6);
    base64_encode(out, pair.p ? pair.p : "", pair.n);
    if (berth_buf_failed(&pair))
        out->failed = true;
}
