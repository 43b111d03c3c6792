/* client/authorize.c - how a request of a call gets authorized: with what the session knows, else with
 * credentials from the keyring, as they are or for a token. Each part may take its time; call_step() goes on.
 */
#include "client/internal.h"

#include "util/clock.h"

#define CHALLENGES_MAX 2 /* without a token; with one that is not taken any more, or allows too little */
#define TOKEN_MAX      MIB

static struct session *session_of(const berth_call *call)
{
    return &call->client->session;
}

static void on_looked_up(struct lookup *l)
{
    call_step(CONTAINER_OF(l, berth_call, lookup));
}

/* What a token has to allow. */
static berth_str scope_of(const berth_call *call)
{
    const char *other = session_of(call)->scope;
    return str_from(other ? other : call->scope);
}

/* The privilege that is enough for it. */
static enum auth_privilege needs(berth_str scope)
{
    enum auth_privilege most = AUTH_READ;
    while (scope.n) {
        berth_str one, kind, name, actions, action;
        str_cut(scope, ' ', &one, &scope);
        str_cut(one, ':', &kind, &one);
        str_cut(one, ':', &name, &actions);
        while (str_eq(kind, STR("repository")) && actions.n) {
            str_cut(actions, ',', &action, &actions);
            if (str_eq(action, STR("push")))
                most = MAX(most, AUTH_WRITE);
            else if (!str_eq(action, STR("pull")))
                most = AUTH_ALL;
        }
    }
    return most;
}

int call_look_up(berth_call *call, bool *ret_ready)
{
    struct session *s = session_of(call);
    const auth_target target = {str_from(s->host), str_from(call->repository), needs(str_from(call->scope))};
    call->state = CALL_CREDENTIALS;
    *ret_ready = false;
    return lookup_start(&call->lookup, &s->keyring, &target, on_looked_up)
               ? call_take_credentials(call, ret_ready)
               : BERTH_OK;
}

int call_authorize(berth_call *call, bool *ret_ready)
{
    berth_error err = BERTH_ERROR_INIT;
    bool credentials_wanted = false;
    *ret_ready = true;
    call->unmet = false;
    call->sent = CALL_SENDS_NOTHING;
    berth_buf_reset(&call->authorization);
    if (call->foreign || call->own_authorization)
        return BERTH_OK;
    int r = call->basic_only ? BERTH_OK
                             : session_authorize(session_of(call), scope_of(call), &call->authorization,
                                                 &credentials_wanted, &err);
    if (r != BERTH_OK)
        return call_fail_with(call, &err);
    if (credentials_wanted || call->basic_only)
        return call_look_up(call, ret_ready);
    if (call->authorization.n)
        call->sent = CALL_SENDS_TOKEN;
    return BERTH_OK;
}

static int ask_token(berth_call *call, const auth_credentials *c)
{
    berth_error err = BERTH_ERROR_INIT;
    struct token_request *t = &call->token;
    int r = session_token_request(session_of(call), &call->asked, scope_of(call), c, call->offline, t, &err);
    if (r != BERTH_OK)
        return call_fail_with(call, &err);
    if (sharing_join(call))
        return BERTH_OK;
    struct exchange *x = &call->x;
    x->has_body = t->form.n > 0;
    x->method = x->has_body ? "POST" : "GET";
    x->url = berth_buf_cstr(&t->url);
    x->bytes = berth_buf_str(&t->form);
    x->streams = x->expects = x->large = x->apart = false;
    return call_ask(call, CALL_TOKEN,
                    x->has_body ? STR("Content-Type: application/x-www-form-urlencoded\n") : STR(""),
                    berth_buf_str(&t->authorization), TOKEN_MAX);
}

/* @secret: a token, or the user name that @password is for. */
static int use(berth_call *call, enum call_sends what, berth_str secret, berth_str password)
{
    berth_buf *out = &call->authorization;
    call->sent = what;
    berth_buf_reset(out);
    berth_buf_addf(out, "Authorization: ");
    if (what == CALL_SENDS_PASSWORD)
        auth_print_basic(out, secret, password);
    else
        berth_buf_addf(out, "Bearer " STR_FMT, STR_ARG(secret));
    return berth_buf_failed(out) ? call_fail(call, BERTH_E_NOMEM, "out of memory, or the secret is too long")
                                 : BERTH_OK;
}

int call_take_credentials(berth_call *call, bool *ret_ready)
{
    struct lookup *l = &call->lookup;
    const auth_credentials *c = &l->found;
    enum auth_scheme scheme = call->basic_only ? AUTH_BASIC : session_of(call)->scheme;
    int r = BERTH_OK;
    *ret_ready = true;
    if (l->code == BERTH_OK && !call->step->method)
        return BERTH_OK; /* the step has what it wanted, and keeps it */
    if (l->code != BERTH_OK) {
        r = call_fail_with(call, &l->err);
    } else if (scheme == AUTH_BASIC && c->username.n) {
        r = use(call, CALL_SENDS_PASSWORD, c->username, c->password);
    } else if (scheme == AUTH_BASIC && !call->challenges) {
        call->sent = CALL_SENDS_NOTHING; /* it was asked for elsewhere; perhaps not here */
    } else if (scheme == AUTH_BASIC && call->step->any_answer) {
        call->unmet = true;
    } else if (scheme == AUTH_BASIC) {
        r = call_fail(call, BERTH_E_UNAUTH,
                      "the registry asks for a user name and a password, and none are known for it");
        call->err.http_status = 401;
    } else if (c->registry_token.n && !call->by_hand_refused) {
        r = session_token_fits(c->registry_token)
                ? use(call, CALL_SENDS_BY_HAND, c->registry_token, STR(""))
                : call_fail(call, BERTH_E_INVALID, "the token that was given can't stand in a header");
    } else if (session_can_get_tokens(session_of(call), &call->asked)) {
        *ret_ready = false;
        r = ask_token(call, c);
    }
    lookup_done(l);
    return r;
}

/* A registry that would take a password as well, or perhaps. */
static bool may_fall_back(const berth_call *call)
{
    return !call->basic_only && call->token.has_username &&
           (call->basic_offered || session_of(call)->fall_back_to_basic);
}

int call_take_token(berth_call *call, bool *ret_ready)
{
    berth_error err = BERTH_ERROR_INIT;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    auth_token token;
    *ret_ready = true;
    int r = call_is_ok(call)
                ? auth_token_parse(berth_buf_str(&call->body), clock_wall_ms(), &arena, &token, &err)
                : BERTH_E_UNAUTH;
    if (r != BERTH_OK && may_fall_back(call)) {
        call->basic_only = true;
        sharing_end(call);
        return call_look_up(call, ret_ready);
    }
    if (!call_is_ok(call)) {
        call_fail_by_answer_of(call, "the token endpoint");
        if (call->x.status == 400) /* OAuth2's way to refuse a refresh token */
            call->code = call->err.code = BERTH_E_UNAUTH;
        return call->code;
    }
    if (r == BERTH_OK)
        r = session_token_add(session_of(call), &call->token, &token, &err);
    if (r != BERTH_OK)
        return call_fail_with(call, &err);
    if (token.refresh_token.n && !(call->identity_token = berth_arena_dup(&call->arena, token.refresh_token)))
        return call_fail(call, BERTH_E_NOMEM, "out of memory");
    return use(call, CALL_SENDS_TOKEN, token.token, STR(""));
}

int call_challenged(berth_call *call, bool *ret_refused)
{
    struct session *s = session_of(call);
    auth_challenges asked = {0};
    berth_error err = BERTH_ERROR_INIT;
    berth_str field;
    *ret_refused = true;
    for (size_t i = 0; (field = exchange_field(&call->x, STR("WWW-Authenticate"), i)).p; i++)
        if (!auth_challenges_parse(field, &call->arena, &asked))
            return call_fail(call, BERTH_E_NOMEM, "out of memory");
    const auth_challenge *bearer = auth_challenges_find(&asked, AUTH_BEARER);
    call->basic_offered = auth_challenges_find(&asked, AUTH_BASIC);
    if (call->sent == CALL_SENDS_TOKEN)
        session_token_drop(s, berth_buf_str(&call->authorization));
    if (call->sent == CALL_SENDS_PASSWORD)
        keyring_forget(&s->keyring);
    call->by_hand_refused |= call->sent == CALL_SENDS_BY_HAND;
    call->lacks_rights = bearer && call->sent == CALL_SENDS_TOKEN &&
                         (call->token.has_username || call->token.identity.n) &&
                         str_eq(bearer->error, STR("insufficient_scope"));
    if (++call->challenges > CHALLENGES_MAX || (call->sent == CALL_SENDS_PASSWORD && !bearer) ||
        call->basic_only || !asked.n)
        return BERTH_OK;
    int r = session_challenged(s, &asked, &err);
    if (r == BERTH_E_UNAUTH && call->step->any_answer)
        return BERTH_OK;
    if (r != BERTH_OK) {
        call_fail_with(call, &err);
        call->err.http_status = call->x.status;
        return r;
    }
    call->asked = bearer ? *bearer : (auth_challenge){0};
    *ret_refused = false;
    return BERTH_OK;
}
