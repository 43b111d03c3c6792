/* client/session.c - how the registry wants to be spoken to: the challenge it sent last, and the tokens that
 * we have. No input or output. */
#include "client/internal.h"

#include "auth/scope.h"
#include "http/url.h"
#include "util/clock.h"

#define FIELD_MAX    (256 * KIB)
#define MARGIN_MS    30000 /* a token is renewed so long before it ends, or in the last quarter of its life */
#define SCOPE_MAX    (64 * KIB)
#define REQUEST_MAX  (256 * KIB)
#define LIFE_LONG_MS (365ll * 24 * 3600 * 1000)

static bool copy(char **to, const char *s)
{
    *to = s ? str_dup(str_from(s)) : NULL;
    return !s || *to;
}

static int add_token(struct session *s, berth_str scope, berth_str text, int64_t until_ms, bool given,
                     berth_error *err);

int session_init(struct session *s, const berth_client_options *opts, berth_error *err)
{
    berth_credentials_options o = BERTH_CREDENTIALS_OPTIONS_INIT;
    if (opts->credentials)
        memcpy(&o, opts->credentials, MIN(opts->credentials->size, sizeof(o)));
    s->fall_back_to_basic = o.fall_back_to_basic;
    if (!copy(&s->scope, o.scope))
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    int r = keyring_init(&s->keyring, opts, err);
    if (r == BERTH_OK && keyring_has_bearer(&s->keyring))
        s->scheme = AUTH_BEARER;
    for (size_t i = 0; r == BERTH_OK && o.tokens && o.tokens[i]; i++) {
        s->scheme = AUTH_BEARER;
        if (!session_token_fits(str_from(o.tokens[i]->token)))
            return berth_error_set(err, BERTH_E_INVALID, "a token that was given can't stand in a header");
        r = add_token(s, str_from(o.tokens[i]->scope), str_from(o.tokens[i]->token),
                      clock_mono_ms() + LIFE_LONG_MS, true, err);
    }
    return r;
}

void session_done(struct session *s)
{
    for (size_t i = 0; i < s->n_tokens; i++) {
        mem_free(s->tokens[i].scope);
        mem_free(s->tokens[i].token);
    }
    keyring_done(&s->keyring);
    mem_free(s->host);
    mem_free(s->scope);
    mem_free(s->realm);
    mem_free(s->service);
    mem_free(s->identity_was);
    mem_free(s->identity);
}

void token_request_done(struct token_request *r)
{
    berth_buf_done(&r->url);
    berth_buf_done(&r->authorization);
    berth_buf_done(&r->form);
    berth_buf_done(&r->scope);
    berth_buf_done(&r->identity);
}

static const char *find_token(const struct session *s, berth_str scope)
{
    int64_t now = clock_mono_ms();
    for (size_t i = 0; i < s->n_tokens; i++)
        if (s->tokens[i].until_ms > now && auth_scope_covers(str_from(s->tokens[i].scope), scope))
            return s->tokens[i].token;
    return NULL;
}

bool session_token_fits(berth_str token)
{
    for (size_t i = 0; i < token.n; i++)
        if (token.p[i] <= ' ' || token.p[i] > '~')
            return false;
    return token.n > 0;
}

int session_authorize(struct session *s, berth_str scope, berth_buf *out, bool *ret_credentials_wanted,
                      berth_error *err)
{
    const char *token = s->scheme == AUTH_BEARER ? find_token(s, scope) : NULL;
    *ret_credentials_wanted = s->scheme != AUTH_OTHER && !token;
    if (token)
        berth_buf_addf(out, "Authorization: Bearer %s", token);
    return berth_buf_failed(out) ? berth_error_set(err, BERTH_E_NOMEM, "out of memory") : BERTH_OK;
}

static bool replace(char **to, berth_str s)
{
    char *fresh = str_dup(s);
    if (!fresh)
        return false;
    mem_free(*to);
    *to = fresh;
    return true;
}

int session_challenged(struct session *s, const auth_challenges *asked, berth_error *err)
{
    const auth_challenge *bearer = auth_challenges_find(asked, AUTH_BEARER);
    if (!bearer) {
        if (!auth_challenges_find(asked, AUTH_BASIC))
            return berth_error_set(err, BERTH_E_UNAUTH,
                                   "the registry asks for credentials of a kind that is not known here");
        s->scheme = AUTH_BASIC;
        return BERTH_OK;
    }
    http_uri realm;
    if (!http_uri_parse(bearer->realm, &realm))
        return berth_error_set(err, BERTH_E_INVALID, "the registry names a place for tokens that is no URL");
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

bool session_can_get_tokens(const struct session *s, const auth_challenge *asked)
{
    return asked->realm.n || s->realm;
}

static void add_parameter(berth_buf *out, const char *name, berth_str value)
{
    berth_buf_addf(out, "%s=", name);
    http_url_encode(out, value, ":/,");
}

/* OAuth2 (RFC 6749 section 6): the secret is no part of a URL. */
static void add_form(struct session *s, berth_str service, berth_str identity, struct token_request *r)
{
    if (s->identity && str_eq(identity, str_from(s->identity_was)))
        identity = str_from(s->identity);
    berth_buf_add_str(&r->identity, identity);
    berth_buf_addf(&r->form, "grant_type=refresh_token&client_id=berth&");
    if (service.n) {
        add_parameter(&r->form, "service", service);
        berth_buf_putc(&r->form, '&');
    }
    add_parameter(&r->form, "scope", berth_buf_str(&r->scope));
    berth_buf_putc(&r->form, '&');
    add_parameter(&r->form, "refresh_token", identity);
}

/* As docker asks: one parameter for each resource. */
static void add_query(berth_str realm, berth_str service, bool offline, struct token_request *r)
{
    size_t before = r->url.n;
    if (service.n) {
        berth_buf_putc(&r->url, '&');
        add_parameter(&r->url, "service", service);
    }
    berth_str left = berth_buf_str(&r->scope), one;
    while (left.n) {
        str_cut(left, ' ', &one, &left);
        berth_buf_putc(&r->url, '&');
        add_parameter(&r->url, "scope", one);
    }
    if (offline)
        berth_buf_addf(&r->url, "&client_id=berth&offline_token=true");
    if (r->url.n > before && !memchr(realm.p, '?', realm.n))
        r->url.p[before] = '?';
}

int session_token_request(struct session *s, const auth_challenge *asked, berth_str scope,
                          const auth_credentials *c, bool offline, struct token_request *ret,
                          berth_error *err)
{
    bool own = asked->realm.n;
    berth_str realm = own ? asked->realm : str_from(s->realm),
              service = own ? asked->service : str_from(s->service);
    token_request_done(ret);
    berth_buf_init(&ret->url, REQUEST_MAX);
    berth_buf_init(&ret->authorization, FIELD_MAX);
    berth_buf_init(&ret->form, REQUEST_MAX);
    berth_buf_init(&ret->scope, SCOPE_MAX);
    berth_buf_init(&ret->identity, FIELD_MAX);
    ret->has_username = c->username.n;
    auth_scope_merge(&ret->scope, s->scope ? STR("") : asked->scope, scope);
    berth_buf_add_str(&ret->url, realm);
    if (c->identity_token.n)
        add_form(s, service, c->identity_token, ret);
    else
        add_query(realm, service, offline, ret);
    if (c->username.n && !c->identity_token.n) {
        berth_buf_addf(&ret->authorization, "Authorization: ");
        auth_print_basic(&ret->authorization, c->username, c->password);
    }
    bool failed = berth_buf_failed(&ret->url) || berth_buf_failed(&ret->authorization) ||
                  berth_buf_failed(&ret->form) || berth_buf_failed(&ret->scope) ||
                  berth_buf_failed(&ret->identity);
    return failed ? berth_error_set(err, BERTH_E_NOMEM, "the request for a token has no room") : BERTH_OK;
}

static void remove_token(struct session *s, size_t i)
{
    mem_free(s->tokens[i].scope);
    mem_free(s->tokens[i].token);
    s->tokens[i] = s->tokens[--s->n_tokens];
}

static int add_token(struct session *s, berth_str scope, berth_str text, int64_t until_ms, bool given,
                     berth_error *err)
{
    struct session_token t = {
        .scope = str_dup(scope), .token = str_dup(text), .until_ms = until_ms, .given = given};
    if (!t.scope || !t.token) {
        mem_free(t.scope);
        mem_free(t.token);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
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

int session_token_add(struct session *s, const struct token_request *r, const auth_token *token,
                      berth_error *err)
{
    berth_str identity = berth_buf_str(&r->identity), fresh = token->refresh_token;
    if (identity.n && fresh.n && !str_eq(identity, fresh)) { /* the old one may be worth nothing any more */
        bool again = s->identity && str_eq(identity, str_from(s->identity));
        if (!replace(&s->identity, fresh) || (!again && !replace(&s->identity_was, identity)))
            return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    int64_t margin = MIN(token->lifetime_ms / 4, (int64_t)MARGIN_MS);
    return add_token(s, berth_buf_str(&r->scope), token->token, clock_mono_ms() + token->lifetime_ms - margin,
                     false, err);
}

void session_token_drop(struct session *s, berth_str authorization)
{
    berth_str sent = str_from_offset(authorization, sizeof("Authorization: Bearer ") - 1);
    for (size_t i = s->n_tokens; i-- > 0;)
        if (str_eq(str_from(s->tokens[i].token), sent))
            remove_token(s, i);
}

void session_forget(struct session *s)
{
    char **const learned[] = {&s->realm, &s->service, &s->identity_was, &s->identity};
    for (size_t i = s->n_tokens; i-- > 0;)
        if (!s->tokens[i].given)
            remove_token(s, i);
    for (size_t i = 0; i < COUNT(learned); i++)
        mem_free(steal(learned[i]));
    s->scheme = s->n_tokens || keyring_has_bearer(&s->keyring) ? AUTH_BEARER : AUTH_OTHER;
    keyring_forget(&s->keyring);
}
