/* auth/token.c - see token.h. */
#include "auth/token.h"

#include <jansson.h>
#include <time.h>

#include "util/base64.h"

#define LIFETIME_DEFAULT_MS 60000
#define LIFETIME_MAX_S      (365 * 24 * 3600)
#define CLAIMS_MAX          (256 * KIB)

static void unrefp(json_t **j)
{
    json_decref(*j);
}

/* RFC 3339; false for anything else. */
static bool parse_time(const char *s, int64_t *ret_ms)
{
    struct tm tm = {0};
    const char *at = s ? strptime(s, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    if (!at)
        return false;
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9';)
            at++;
    int64_t offset = 0;
    if (*at == '+' || *at == '-') {
        struct tm zone = {0};
        const char *end = strptime(at + 1, "%H:%M", &zone);
        if (!end || *end)
            return false;
        offset = (*at == '-' ? -1 : 1) * (int64_t)(zone.tm_hour * 60 + zone.tm_min) * 60;
    } else if ((*at != 'Z' && *at != 'z') || at[1]) {
        return false;
    }
    *ret_ms = ((int64_t)timegm(&tm) - offset) * 1000;
    return true;
}

/* Copied; empty where it is absent or no string. */
static berth_str member(const json_t *j, const char *key, berth_arena *arena)
{
    const json_t *v = json_object_get(j, key);
    if (!json_is_string(v) || !json_string_length(v))
        return STR("");
    return berth_arena_str(arena, (berth_str){json_string_value(v), json_string_length(v)});
}

static bool fits_a_header(berth_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    return s.n > 0;
}

/* What a JWT says of its own life (RFC 7519 section 4.1): from when it was made, or from now where that is
 * later and makes sense, to its end. 0: it is none, or does not say. The signature is the registry's to
 * check.
 */
static int64_t lifetime_of_jwt(berth_str token, int64_t now_ms)
{
    CLEANUP(berth_buf_done) berth_buf claims = BERTH_BUF_INIT(CLAIMS_MAX);
    berth_str head, body, signature;
    json_error_t why;
    if (!str_cut(token, '.', &head, &body) || !str_cut(body, '.', &body, &signature) ||
        !base64_decode(body, &claims))
        return 0;
    CLEANUP(unrefp) json_t *j = json_loadb(claims.n ? claims.p : "", claims.n, 0, &why);
    const json_t *end = json_object_get(j, "exp"), *made = json_object_get(j, "iat");
    if (!json_is_number(end) || !(json_number_value(end) > 0))
        return 0;
    double until = MIN(json_number_value(end), 1e11), from = (double)now_ms / 1000;
    if (json_is_number(made) && json_number_value(made) < until &&
        (from >= until || from < json_number_value(made)))
        from = MAX(json_number_value(made), 0); /* the clocks don't agree */
    return until > from ? (int64_t)(MIN(until - from, (double)LIFETIME_MAX_S) * 1000) : 0;
}

int auth_token_parse(berth_str body, int64_t now_ms, berth_arena *arena, auth_token *ret, berth_error *err)
{
    json_error_t why;
    CLEANUP(unrefp) json_t *j = json_loadb(body.n ? body.p : "", body.n, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(j))
        return berth_error_set(err, BERTH_E_INVALID, "the token endpoint's answer is no JSON object");
    auth_token t = {.token = member(j, "token", arena),
                    .refresh_token = member(j, "refresh_token", arena),
                    .lifetime_ms = LIFETIME_DEFAULT_MS};
    if (t.token.p && !t.token.n)
        t.token = member(j, "access_token", arena);
    if (!t.token.p || !t.refresh_token.p)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    if (!t.token.n)
        return berth_error_set(err, BERTH_E_INVALID, "the token endpoint's answer has no token");
    if (!fits_a_header(t.token))
        return berth_error_set(err, BERTH_E_INVALID, "the token endpoint's token can't stand in a header");
    const json_t *lives = json_object_get(j, "expires_in");
    if (json_is_number(lives) && json_number_value(lives) >= 1) {
        t.lifetime_ms = (int64_t)MIN(json_number_value(lives), (double)LIFETIME_MAX_S) * 1000;
    } else {
        int64_t own = lifetime_of_jwt(t.token, now_ms);
        if (own) {
            t.lifetime_ms = own;
            *ret = t;
            return BERTH_OK;
        }
    }
    int64_t issued;
    if (parse_time(json_string_value(json_object_get(j, "issued_at")), &issued) && issued < now_ms &&
        now_ms - issued < t.lifetime_ms)
        t.lifetime_ms -= now_ms - issued;
    *ret = t;
    return BERTH_OK;
}

berth_str auth_token_refusal(berth_str body, berth_arena *arena)
{
    static const char *const keys[] = {"details", "error_description", "message", "error"};
    json_error_t why;
    CLEANUP(unrefp) json_t *j = json_loadb(body.n ? body.p : "", body.n, JSON_REJECT_DUPLICATES, &why);
    for (size_t i = 0; json_is_object(j) && i < COUNT(keys); i++) {
        const char *text = json_string_value(json_object_get(j, keys[i]));
        char *copy = text && *text ? berth_arena_dup(arena, str_from(text)) : NULL;
        for (char *at = copy; at && *at; at++)
            if (*at < 0x20 || *at > 0x7e)
                *at = '?';
        if (copy)
            return str_from(copy);
    }
    return STR("");
}
