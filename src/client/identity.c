/* client/identity.c - who we are to the registry: does it take our credentials, whose are they, and what has
 * to be sent along? */
#include "client/internal.h"

static int on_end(berth_call *call, const struct step **ret_next)
{
    static const char name[] = "Authorization: ";
    (void)ret_next;
    berth_str value = str_from_offset(berth_buf_str(&call->authorization), sizeof(name) - 1);
    call->own = berth_arena_dup(&call->arena, value);
    return call->own ? BERTH_OK : call_fail(call, BERTH_E_NOMEM, "out of memory");
}

static int on_found(berth_call *call, const struct step **ret_next)
{
    (void)ret_next;
    const auth_credentials *c = &call->lookup.found;
    if (auth_credentials_empty(c))
        return call_fail(call, BERTH_E_NOT_FOUND, "no credentials are known for it");
    call->own = berth_arena_dup(&call->arena, c->username);
    return call->own ? BERTH_OK : call_fail(call, BERTH_E_NOMEM, "out of memory");
}

static const struct step pinging = {.method = "GET", .body_max = MIB, .end = on_end};
static const struct step looking = {.end = on_found};
static const struct operation ping = {.first = &pinging};
static const struct operation look = {.actions = "pull", .first = &looking};

/* --- login --- */

int berth_login_start(berth_client *client, bool offline, berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = call_new(client, &ping, NULL, NULL, &call, err);
    if (r != BERTH_OK)
        return r;
    call->offline = offline;
    berth_buf_addf(&call->url, "%s/v2/", client->base);
    call_start(call);
    *ret_call = call;
    return BERTH_OK;
}

int berth_login(berth_client *client, bool offline, berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_login_start(client, offline, &call, err);
    return call_run(r, call, ret_call, err);
}

const char *berth_call_identity_token(const berth_call *call)
{
    return berth_call_result(call, NULL) == BERTH_OK ? call->identity_token : NULL;
}

/* --- whoami --- */

/* With another scope than the operation's. */
static int make(berth_client *client, const struct operation *op, const char *repository, const char *actions,
                berth_call **ret, berth_error *err)
{
    berth_call *call = NULL;
    int r = call_new(client, op, repository, NULL, &call, err);
    if (r != BERTH_OK)
        return r;
    if (repository && actions)
        call->scope = berth_arena_printf(&call->arena, "repository:%s:%s", repository, actions);
    if (!call->scope) {
        call_destroy(call);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    *ret = call;
    return BERTH_OK;
}

int berth_whoami_start(berth_client *client, const char *repository, berth_privilege privilege,
                       berth_call **ret_call, berth_error *err)
{
    static const char *const actions[] = {[BERTH_PRIVILEGE_ALL] = "pull,push,delete",
                                          [BERTH_PRIVILEGE_READ] = "pull",
                                          [BERTH_PRIVILEGE_WRITE] = "pull,push"};
    if ((size_t)privilege >= COUNT(actions))
        return berth_error_set(err, BERTH_E_INVALID, "no such privilege");
    berth_call *call = NULL;
    int r = make(client, &look, repository, actions[privilege], &call, err);
    if (r != BERTH_OK)
        return r;
    call_start(call);
    *ret_call = call;
    return BERTH_OK;
}

int berth_whoami(berth_client *client, const char *repository, berth_privilege privilege,
                 berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_whoami_start(client, repository, privilege, &call, err);
    return call_run(r, call, ret_call, err);
}

const char *berth_call_username(const berth_call *call)
{
    return berth_call_result(call, NULL) == BERTH_OK && call->op == &look ? call->own : NULL;
}

/* --- what has to be sent along --- */

int berth_authorize_start(berth_client *client, const char *repository, const char *actions,
                          berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    for (const char *at = actions; at && *at; at++)
        if (!((*at >= 'a' && *at <= 'z') || *at == ',' || *at == '*'))
            return berth_error_set(err, BERTH_E_INVALID, "'%s' are no actions, like \"pull,push\"", actions);
    int r = make(client, &ping, repository, actions ? actions : "pull", &call, err);
    if (r != BERTH_OK)
        return r;
    berth_buf_addf(&call->url, "%s/v2/", client->base);
    call_start(call);
    *ret_call = call;
    return BERTH_OK;
}

int berth_authorize(berth_client *client, const char *repository, const char *actions, berth_call **ret_call,
                    berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_authorize_start(client, repository, actions, &call, err);
    return call_run(r, call, ret_call, err);
}

const char *berth_call_authorization(const berth_call *call)
{
    return berth_call_result(call, NULL) == BERTH_OK && call->op == &ping ? call->own : NULL;
}
