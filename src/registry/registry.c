/* registry/registry.c - opens the API over a repo and holds its policy. */
#include "registry/private.h"

static const char *copy(berth_arena *a, const char *s, bool *ok)
{
    const char *c = s ? berth_arena_dup(a, str_from(s)) : NULL;
    *ok = *ok && (!s || c);
    return c;
}

int registry_set_policy(registry *reg, const struct registry_policy *policy, berth_error *err)
{
    berth_arena *a;
    struct registry_policy *p = publish_new(sizeof(*p), &a);
    if (!p)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory for the policy");
    *p = *policy;
    const char **types = berth_arena_alloc(a, (p->n_blob_content_types + 1) * sizeof(*types));
    struct registry_warning *warnings = berth_arena_alloc(a, (p->n_warnings + 1) * sizeof(*warnings));
    bool ok = types && warnings;
    p->default_platform = copy(a, p->default_platform, &ok);
    for (size_t i = 0; ok && i < p->n_blob_content_types; i++)
        types[i] = copy(a, policy->blob_content_types[i], &ok);
    for (size_t i = 0; ok && i < p->n_warnings; i++) {
        const struct registry_warning *w = &policy->warnings[i];
        warnings[i] = (struct registry_warning){copy(a, w->repository, &ok), copy(a, w->tag, &ok),
                                                copy(a, w->text, &ok)};
    }
    if (!ok) {
        publish_discard(p);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory for the policy");
    }
    p->blob_content_types = types;
    p->warnings = warnings;
    publish_put(&reg->policy, p);
    return BERTH_OK;
}

const struct registry_policy *registry_policy_now(registry *reg)
{
    return publish_now(&reg->policy);
}

int registry_new(repo *r, const struct registry_policy *policy, registry **ret_reg, berth_error *err)
{
    registry *reg = mem_zalloc(1, sizeof(*reg));
    if (!reg)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    reg->repo = r;
    reg->app = (struct http_app){
        .data = reg,
        .route = registry_route,
        .refuse = registry_refuse_http,
        .finished = registry_finished,
    };
    audit_init(&reg->audit);
    metrics_init(&reg->metrics);
    int rc = registry_set_policy(reg, policy, err);
    if (rc != BERTH_OK) {
        registry_free(reg);
        return rc;
    }
    *ret_reg = reg;
    return BERTH_OK;
}

void registry_free(registry *reg)
{
    if (!reg)
        return;
    audit_done(&reg->audit);
    metrics_done(&reg->metrics);
    publish_done(&reg->policy);
    mem_free(reg);
}

const struct http_app *registry_app(registry *reg)
{
    return &reg->app;
}

void registry_set_server(registry *reg, http_server *server)
{
    reg->server = server;
}

void registry_set_stopping(registry *reg)
{
    atomic_store(&reg->stopping, true);
}

void registry_set_audit(registry *reg, int fd)
{
    audit_to(&reg->audit, fd);
}
