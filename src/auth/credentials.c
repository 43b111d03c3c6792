/* auth/credentials.c - see credentials.h. */
#include "auth/credentials.h"

#include <jansson.h>

#include "auth/helper.h"
#include "util/base64.h"

#define SECRET_MAX (64 * KIB)

static void unrefp(json_t **j)
{
    json_decref(*j);
}

bool auth_credentials_empty(const auth_credentials *c)
{
    return !c->username.n && !c->identity_token.n && !c->registry_token.n;
}

static bool is_blank(berth_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!strchr(" \t\r\n", s.p[i]) || !s.p[i])
            return false;
    return true;
}

/* NULL: no JSON object. The caller's: json_decref(). */
static json_t *parse(berth_str config, berth_error *err)
{
    json_error_t why;
    if (is_blank(config)) /* a file that somebody has touched */
        config = STR("{}");
    json_t *j = json_loadb(config.p, config.n, JSON_ALLOW_NUL, &why);
    if (json_is_object(j))
        return j;
    berth_error_set(err, BERTH_E_INVALID, "the file of credentials is no JSON object (line %d)",
                    j ? 1 : why.line);
    json_decref(j);
    return NULL;
}

/* Copied; empty where it is absent. .p NULL: no memory. */
static berth_str member(const json_t *j, const char *key, berth_arena *arena)
{
    const json_t *v = json_object_get(j, key);
    if (!json_is_string(v) || !json_string_length(v))
        return STR("");
    return berth_arena_str(arena, (berth_str){json_string_value(v), json_string_length(v)});
}

static enum auth_privilege privilege_of(const json_t *entry)
{
    const char *v = json_string_value(json_object_get(entry, "privilege"));
    if (v && strcmp(v, "read") == 0)
        return AUTH_READ;
    return v && strcmp(v, "write") == 0 ? AUTH_WRITE : AUTH_ALL;
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
    if (auth_credentials_empty(&c))
        return berth_error_set(err, BERTH_E_NOT_FOUND, "no credentials for '" STR_FMT "'", STR_ARG(host));
    *ret = c;
    return BERTH_OK;
}

int auth_credentials_find(berth_str config, const auth_target *target, berth_arena *arena,
                          auth_credentials *ret, berth_error *err)
{
    CLEANUP(unrefp) json_t *j = parse(config, err);
    if (!j)
        return BERTH_E_INVALID;
    const json_t *best = NULL;
    uint64_t best_rank = 0;
    const char *place;
    json_t *entry;
    json_object_foreach(json_object_get(j, "auths"), place, entry)
    {
        if (!json_is_object(entry) || !json_object_size(entry)) /* an empty one says that a helper has them */
            continue;
        uint64_t rank = auth_place_rank(str_from(place), privilege_of(entry), target);
        if (rank > best_rank) {
            best = entry;
            best_rank = rank;
        }
    }
    if (!best)
        return berth_error_set(err, BERTH_E_NOT_FOUND, "no credentials for '" STR_FMT "'",
                               STR_ARG(target->host));
    return read_entry(best, target->host, arena, ret, err);
}

int auth_credentials_helper(berth_str config, berth_str host, berth_arena *arena, berth_str *ret_name,
                            berth_str *ret_server, berth_error *err)
{
    CLEANUP(unrefp) json_t *j = parse(config, err);
    if (!j)
        return BERTH_E_INVALID;
    berth_str name = member(j, "credsStore", arena), server = auth_place_of(host);
    const char *place;
    json_t *v;
    json_object_foreach(json_object_get(j, "credHelpers"), place, v)
    {
        if (json_is_string(v) && auth_place_same(str_from(place), host)) {
            name = berth_arena_str(arena, (berth_str){json_string_value(v), json_string_length(v)});
            server = str_from(place);
        }
    }
    server = berth_arena_str(arena, name.n ? server : STR(""));
    if (!name.p || !server.p)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    if (name.n && !auth_helper_name_valid(name))
        return berth_error_set(err, BERTH_E_INVALID, "'" STR_FMT "' is not a valid name of a helper",
                               STR_ARG(name));
    *ret_name = name;
    *ret_server = server;
    return BERTH_OK;
}

/* --- changes --- */

static int print(const json_t *j, berth_buf *out, berth_error *err)
{
    /* Room for all of it: what moves leaves secrets behind. */
    berth_buf_reserve(out, json_dumpb(j, NULL, 0, JSON_INDENT(4)) + 1);
    bool printed = json_dump_callback(j, berth_buf_write, out, JSON_INDENT(4)) == 0;
    berth_buf_putc(out, '\n');
    return printed && !berth_buf_failed(out) ? BERTH_OK
                                             : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

static bool drop(json_t *auths, berth_str place)
{
    bool found = false;
    const char *key;
    json_t *entry;
    void *next;
    json_object_foreach_safe(auths, next, key, entry)
    {
        if (auth_place_same(str_from(key), place)) {
            json_object_del(auths, key);
            found = true;
        }
    }
    return found;
}

/* False: no memory, or no UTF-8. */
static bool set(json_t *entry, const char *key, berth_str value)
{
    return !value.n || json_object_set_new(entry, key, json_stringn(value.p, value.n)) == 0;
}

/* As docker writes one: name and password as "auth", an identity token beside them. NULL: no memory. */
static json_t *make_entry(const auth_credentials *c)
{
    CLEANUP(berth_buf_done) berth_buf pair = BERTH_BUF_INIT(2 * SECRET_MAX);
    CLEANUP(berth_buf_done) berth_buf encoded = BERTH_BUF_INIT(4 * SECRET_MAX);
    json_t *entry = json_object();
    if (c->username.n) {
        berth_buf_add_str(&pair, c->username);
        berth_buf_putc(&pair, ':');
        berth_buf_add_str(&pair, c->password);
        base64_encode(&encoded, pair.p ? pair.p : "", pair.n);
    }
    if (!berth_buf_failed(&pair) && !berth_buf_failed(&encoded) &&
        set(entry, "auth", berth_buf_str(&encoded)) && set(entry, "identitytoken", c->identity_token) &&
        set(entry, "registrytoken", c->registry_token))
        return entry;
    json_decref(entry);
    return NULL;
}

int auth_credentials_put(berth_str config, berth_str place, const auth_credentials *c, berth_buf *out,
                         berth_error *err)
{
    CLEANUP(unrefp) json_t *j = parse(config, err);
    if (!j)
        return BERTH_E_INVALID;
    json_t *auths = json_object_get(j, "auths");
    if (auths && !json_is_object(auths))
        return berth_error_set(err, BERTH_E_INVALID, "\"auths\" in the file of credentials is no object");
    CLEANUP(freep) char *key = str_dup(place);
    CLEANUP(unrefp) json_t *entry = make_entry(c);
    if (!auths && json_object_set_new(j, "auths", json_object()) == 0)
        auths = json_object_get(j, "auths");
    drop(auths, place);
    if (!key || !entry || json_object_set(auths, key, entry) < 0)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory, or the secret is too long");
    return print(j, out, err);
}

int auth_credentials_drop(berth_str config, berth_str place, berth_buf *out, bool *ret_found,
                          berth_error *err)
{
    CLEANUP(unrefp) json_t *j = parse(config, err);
    if (!j)
        return BERTH_E_INVALID;
    *ret_found = drop(json_object_get(j, "auths"), place);
    return *ret_found ? print(j, out, err) : BERTH_OK;
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
