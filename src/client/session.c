/* client/session.c - how the registry wants to be spoken to: the challenge it sent last, the tokens we have,
 * and where credentials come from. No input or output but the file of credentials. */
#include "client/internal.h"

#include "auth/credentials.h"
#include "auth/scope.h"
#include "http/url.h"
#include "util/clock.h"
#include "util/io.h"

#define FILE_MAX    (4 * MIB)
#define FIELD_MAX   (256 * KIB)
#define MARGIN_MS   30000 /* a token is renewed so long before it ends, or in the last quarter of its life */
#define SCOPE_MAX   (64 * KIB)
#define REQUEST_MAX (256 * KIB)

void session_done(struct session *s)
{
    for (size_t i = 0; i < s->n_tokens; i++) {
        free(s->tokens[i].scope);
        free(s->tokens[i].token);
    }
    free(s->host);
    free(s->username);
    free(s->password);
    free(s->credentials_file);
    free(s->realm);
    free(s->service);
}

void token_request_done(struct token_request *r)
{
    berth_buf_done(&r->url);
    berth_buf_done(&r->authorization);
    berth_buf_done(&r->form);
    berth_buf_done(&r->scope);
}

/* All empty: we have none. The file is read each time: `login` may have written it meanwhile. */
static int find_credentials(const struct session *s, berth_str repository, berth_arena *arena,
                            auth_credentials *ret, berth_error *err)
{
    *ret = (auth_credentials){.username = str_from(s->username), .password = str_from(s->password)};
    if (s->username || !s->credentials_file)
        return BERTH_OK;
    CLEANUP(berth_buf_done) berth_buf file = BERTH_BUF_INIT(FILE_MAX);
    const auth_target target = {str_from(s->host), repository, AUTH_READ};
    int r = io_read_file(s->credentials_file, &file, err);
    if (r == BERTH_OK)
        r = auth_credentials_find(berth_buf_str(&file), &target, arena, ret, err);
    if (r == BERTH_E_NOT_FOUND)
        return BERTH_OK;
    if (r != BERTH_OK)
        berth_error_prefix(err, "%s", s->credentials_file);
    return r;
}

static const char *find_token(const struct session *s, berth_str scope)
{
    int64_t now = clock_mono_ms();
    for (size_t i = 0; i < s->n_tokens; i++)
        if (s->tokens[i].until_ms > now && auth_scope_covers(str_from(s->tokens[i].scope), scope))
            return s->tokens[i].token;
    return NULL;
}

static bool fits_a_header(berth_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    return true;
}

int session_authorize(struct session *s, berth_str repository, berth_str scope, berth_buf *out,
                      bool *ret_token_wanted, berth_error *err)
{
    *ret_token_wanted = false;
    berth_buf_done(out);
    berth_buf_init(out, FIELD_MAX);
    if (s->scheme == AUTH_OTHER)
        return BERTH_OK;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    auth_credentials c;
    const char *token = s->scheme == AUTH_BEARER ? find_token(s, scope) : NULL;
    if (token) {
        berth_buf_addf(out, "Authorization: Bearer %s", token);
    } else {
        int r = find_credentials(s, repository, &arena, &c, err);
        if (r != BERTH_OK)
            return r;
        if (s->scheme == AUTH_BASIC && c.username.n) {
            berth_buf_addf(out, "Authorization: ");
            auth_print_basic(out, c.username, c.password);
        } else if (s->scheme == AUTH_BEARER && c.registry_token.n && fits_a_header(c.registry_token)) {
            berth_buf_addf(out, "Authorization: Bearer " STR_FMT, STR_ARG(c.registry_token));
        } else {
            *ret_token_wanted = s->scheme == AUTH_BEARER;
        }
    }
    return berth_buf_failed(out) ? berth_error_set(err, BERTH_E_NOMEM, "out of memory") : BERTH_OK;
}

static bool replace(char **to, berth_str s)
{
    char *fresh = str_dup(s);
    if (!fresh)
        return false;
    free(*to);
    *to = fresh;
    return true;
}

int session_challenged(struct session *s, berth_str repository, const auth_challenges *asked,
                       berth_error *err)
{
    const auth_challenge *bearer = auth_challenges_find(asked, AUTH_BEARER);
    if (bearer) {
        http_uri realm;
        if (!http_uri_parse(bearer->realm, &realm))
            return berth_error_set(err, BERTH_E_INVALID,
                                   "the registry names a place for tokens that is no URL");
        if (s->tls && !realm.tls)
            return berth_error_set(err, BERTH_E_DENIED,
                                   "the registry names a place for tokens on plain HTTP, at '" STR_FMT
                                   "': credentials would be readable on the way",
                                   STR_ARG(realm.authority));
        if (!replace(&s->realm, bearer->realm) || !replace(&s->service, bearer->service))
            return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
        s->scheme = AUTH_BEARER;
        return BERTH_OK;
    }
    if (!auth_challenges_find(asked, AUTH_BASIC))
        return berth_error_set(err, BERTH_E_UNAUTH,
                               "the registry asks for credentials of a kind that is not known here");
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    auth_credentials c;
    int r = find_credentials(s, repository, &arena, &c, err);
    if (r != BERTH_OK)
        return r;
    if (!c.username.n)
        return berth_error_set(err, BERTH_E_UNAUTH,
                               "the registry asks for a user name and a password, and none are "
                               "known for it");
    s->scheme = AUTH_BASIC;
    return BERTH_OK;
}

static void add_parameter(berth_buf *out, const char *name, berth_str value)
{
    berth_buf_addf(out, "%s=", name);
    http_url_encode(out, value, ":/,");
}

int session_token_request(struct session *s, berth_str repository, berth_str scope, berth_str asked,
                          struct token_request *ret, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    auth_credentials c;
    int r = find_credentials(s, repository, &arena, &c, err);
    if (r != BERTH_OK)
        return r;
    token_request_done(ret);
    berth_buf_init(&ret->url, REQUEST_MAX);
    berth_buf_init(&ret->authorization, FIELD_MAX);
    berth_buf_init(&ret->form, REQUEST_MAX);
    berth_buf_init(&ret->scope, SCOPE_MAX);
    auth_scope_merge(&ret->scope, asked, scope);
    berth_buf_addf(&ret->url, "%s", s->realm);
    if (c.identity_token.n) { /* OAuth2 (RFC 6749 section 6): the secret is no part of a URL */
        berth_buf_addf(&ret->form, "grant_type=refresh_token&client_id=berth&");
        add_parameter(&ret->form, "service", str_from(s->service));
        berth_buf_putc(&ret->form, '&');
        add_parameter(&ret->form, "scope", berth_buf_str(&ret->scope));
        berth_buf_putc(&ret->form, '&');
        add_parameter(&ret->form, "refresh_token", c.identity_token);
    } else {
        berth_buf_putc(&ret->url, strchr(s->realm, '?') ? '&' : '?');
        add_parameter(&ret->url, "service", str_from(s->service));
        berth_str left = berth_buf_str(&ret->scope), one;
        while (left.n) { /* one each, as docker sends them */
            str_cut(left, ' ', &one, &left);
            berth_buf_putc(&ret->url, '&');
            add_parameter(&ret->url, "scope", one);
        }
        if (c.username.n) {
            berth_buf_addf(&ret->authorization, "Authorization: ");
            auth_print_basic(&ret->authorization, c.username, c.password);
        }
    }
    bool failed = berth_buf_failed(&ret->url) || berth_buf_failed(&ret->authorization) ||
                  berth_buf_failed(&ret->form) || berth_buf_failed(&ret->scope);
    return failed ? berth_error_set(err, BERTH_E_NOMEM, "the request for a token has no room") : BERTH_OK;
}

static void remove_token(struct session *s, size_t i)
{
    free(s->tokens[i].scope);
    free(s->tokens[i].token);
    s->tokens[i] = s->tokens[--s->n_tokens];
}

int session_token_add(struct session *s, berth_str scope, const auth_token *token, berth_error *err)
{
    struct session_token t = {.scope = str_dup(scope), .token = str_dup(token->token)};
    if (!t.scope || !t.token) {
        free(t.scope);
        free(t.token);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    t.until_ms = clock_mono_ms() + token->lifetime_ms - MIN(token->lifetime_ms / 4, (int64_t)MARGIN_MS);
    size_t first = 0;
    for (size_t i = s->n_tokens; i-- > 0;)
        if (str_eq(str_from(s->tokens[i].scope), scope))
            remove_token(s, i);
    for (size_t i = 0; i < s->n_tokens; i++)
        if (s->tokens[i].until_ms < s->tokens[first].until_ms)
            first = i;
    if (s->n_tokens == SESSION_TOKENS_MAX)
        remove_token(s, first);
    s->tokens[s->n_tokens++] = t;
    return BERTH_OK;
}

void session_token_drop(struct session *s, berth_str scope)
{
    for (size_t i = s->n_tokens; i-- > 0;)
        if (auth_scope_covers(str_from(s->tokens[i].scope), scope))
            remove_token(s, i);
}
