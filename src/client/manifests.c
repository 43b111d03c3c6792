/* client/manifests.c - manifests by tag or digest: their bytes, or what the registry says of them. */
#include "client/internal.h"
#include "oci/answer.h"
#include "oci/mediatype.h"
#include "oci/schema1.h"

/* The digest that the registry names, or none. */
static bool named_digest(const berth_call *call, berth_digest *ret)
{
    berth_str said = exchange_field(&call->x, STR("Docker-Content-Digest"), 0);
    return said.p && digest_parse(said, ret, NULL) == BERTH_OK;
}

static berth_str said_type(const berth_call *call)
{
    return mediatype_essence(exchange_field(&call->x, STR("Content-Type"), 0));
}

static int no_manifest(berth_call *call, berth_str type)
{
    bool printable = mediatype_valid(type);
    return call_fail(call, BERTH_E_INVALID,
                     "the registry answered with %s" STR_FMT "%s, which is no manifest", printable ? "'" : "",
                     STR_ARG(printable ? type : STR("something")), printable ? "'" : "");
}

/* Registries need not mind what they are asked for. */
static int check_kind(berth_call *call, berth_str type)
{
    static const enum manifest_kind wanted[] = {[BERTH_ACCEPT_IMAGE] = MANIFEST_IMAGE,
                                                [BERTH_ACCEPT_INDEX] = MANIFEST_INDEX,
                                                [BERTH_ACCEPT_SCHEMA1] = MANIFEST_SCHEMA1};
    static const char *const names[] = {[MANIFEST_IMAGE] = "an image",
                                        [MANIFEST_INDEX] = "an index",
                                        [MANIFEST_SCHEMA1] = "a manifest of Docker's schema 1"};
    enum manifest_kind kind = mediatype_kind(type);
    if (call->accept == BERTH_ACCEPT_ANY || kind == wanted[call->accept])
        return BERTH_OK;
    if (kind == MANIFEST_OTHER)
        return no_manifest(call, type);
    return call_fail(call, BERTH_E_NOT_FOUND, "it is %s, and %s was asked for", names[kind],
                     names[wanted[call->accept]]);
}

int call_give_manifest(berth_call *call, berth_str type, berth_str digest, uint64_t size, const void *data)
{
    call->content = (berth_content){.media_type = berth_arena_dup(&call->arena, type),
                                    .digest = berth_arena_dup(&call->arena, digest),
                                    .size = size,
                                    .data = data};
    if (!call->content.media_type || !call->content.digest)
        return call_fail(call, BERTH_E_NOMEM, "out of memory");
    call->has_content = true;
    return BERTH_OK;
}

int call_check_manifest(berth_call *call, berth_digest *ret_digest, berth_str *ret_type)
{
    berth_str body = berth_buf_str(&call->body);
    berth_digest named, have;
    bool by_digest = call->digest.text[0], known = by_digest;
    if (by_digest)
        named = call->digest;
    else
        known = named_digest(call, &named);
    digest_of(known ? named.algorithm : HASH_SHA256, body.p, body.n, &have);
    berth_str type = oci_read_media_type(body, &call->arena);
    if (!type.n)
        type = said_type(call);
    bool coded =
        exchange_field(&call->x, STR("Content-Encoding"), 0).n && !str_starts(str_trim(body), STR("{"));
    if (coded && !(known && digest_eq(&named, &have))) /* whose digest is right needs no other word */
        return call_fail(call, BERTH_E_INVALID, "the manifest came compressed, which was not asked for");
    if (!known && mediatype_kind(type) == MANIFEST_OTHER)
        return no_manifest(call, type);
    int r = known ? oci_schema1_compare(body, &named) : BERTH_OK;
    if (r == BERTH_E_NOMEM)
        return call_fail(call, r, "out of memory");
    if (r != BERTH_OK)
        return call_fail(call, BERTH_E_DIGEST,
                         "the manifest's bytes have the digest %.20s..., not the %.20s... that was %s",
                         have.text, named.text, by_digest ? "asked for" : "announced");
    *ret_digest = known ? named : have;
    *ret_type = type;
    return BERTH_OK;
}

static int end_get(berth_call *call, const struct step **ret_next)
{
    (void)ret_next;
    berth_digest have;
    berth_str type;
    int r = call_check_manifest(call, &have, &type);
    if (r == BERTH_OK)
        r = check_kind(call, type);
    return r == BERTH_OK
               ? call_give_manifest(call, type, digest_str(&have), call->body.n, berth_buf_str(&call->body).p)
               : r;
}

static int end_head(berth_call *call, const struct step **ret_next)
{
    (void)ret_next;
    berth_digest named = call->digest, said;
    if (mediatype_kind(said_type(call)) == MANIFEST_OTHER)
        return no_manifest(call, said_type(call));
    if (check_kind(call, said_type(call)) != BERTH_OK)
        return call->code;
    if (named_digest(call, &said)) {
        if (named.text[0] && named.algorithm == said.algorithm && !digest_eq(&named, &said))
            return call_fail(call, BERTH_E_DIGEST,
                             "the registry announces another digest than was asked for");
        if (!named.text[0])
            named = said;
    }
    return call_give_manifest(call, said_type(call), digest_str(&named),
                              call->x.length > 0 ? (uint64_t)call->x.length : 0, NULL);
}

/* The digest alone: where HEAD doesn't name it, or isn't known, the bytes have it. */
static const struct step hashing;

static int end_digest(berth_call *call, const struct step **ret_next)
{
    berth_digest said;
    if (call->digest.text[0] || named_digest(call, &said))
        return end_head(call, ret_next);
    *ret_next = &hashing;
    return BERTH_OK;
}

static int refused_digest(berth_call *call, const struct step **ret_next)
{
    int status = call->x.status;
    if (status != 400 && status != 405 && status != 501)
        return call_fail_by_answer(call);
    *ret_next = &hashing;
    return BERTH_OK;
}

static int end_hashing(berth_call *call, const struct step **ret_next)
{
    (void)ret_next;
    berth_digest have;
    berth_str type;
    int r = call_check_manifest(call, &have, &type);
    return r == BERTH_OK ? call_give_manifest(call, type, digest_str(&have), call->body.n, NULL) : r;
}

static const struct step hashing = {.method = "GET", .body_max = MANIFEST_MAX, .end = end_hashing};
static const struct step asking = {.method = "HEAD", .end = end_digest, .refused = refused_digest};
static const struct operation digest_op = {.actions = "pull", .first = &asking};

static const struct step getting = {.method = "GET", .body_max = MANIFEST_MAX, .end = end_get};
static const struct step heading = {.method = "HEAD", .end = end_head};
static const struct operation get = {.actions = "pull", .first = &getting};
static const struct operation head = {.actions = "pull", .first = &heading};

static int start(berth_client *client, const struct operation *op, const char *repository,
                 const char *reference, berth_accept accept, berth_call **ret_call, berth_error *err)
{
    static const char *const accepts[] = {
        [BERTH_ACCEPT_ANY] = ACCEPT_ANY,
        [BERTH_ACCEPT_IMAGE] = MT_OCI_MANIFEST ", " MT_DOCKER_MANIFEST,
        [BERTH_ACCEPT_INDEX] = MT_OCI_INDEX ", " MT_DOCKER_LIST,
        [BERTH_ACCEPT_SCHEMA1] = MT_DOCKER_SCHEMA1_JWS ", " MT_DOCKER_SCHEMA1,
    };
    berth_call *call = NULL;
    if ((size_t)accept >= COUNT(accepts) || !repository || !reference)
        return berth_error_set(err, BERTH_E_INVALID,
                               "a manifest is asked for by repository, reference and a kind");
    int r = call_new(client, op, repository, reference, &call, err);
    if (r != BERTH_OK)
        return r;
    call->accept = accept;
    call_field(call, "Accept: %s", accepts[accept]);
    berth_buf_addf(&call->url, "%s/v2/%s/manifests/%s", client->base, repository, call->reference);
    call_start(call);
    *ret_call = call;
    return BERTH_OK;
}

int berth_manifest_get_start(berth_client *client, const char *repository, const char *reference,
                             berth_accept accept, berth_call **ret_call, berth_error *err)
{
    return start(client, &get, repository, reference, accept, ret_call, err);
}

int berth_manifest_head_start(berth_client *client, const char *repository, const char *reference,
                              berth_accept accept, berth_call **ret_call, berth_error *err)
{
    return start(client, &head, repository, reference, accept, ret_call, err);
}

int berth_manifest_digest_start(berth_client *client, const char *repository, const char *reference,
                                berth_call **ret_call, berth_error *err)
{
    return start(client, &digest_op, repository, reference, BERTH_ACCEPT_ANY, ret_call, err);
}

void call_aim_manifest(berth_call *call, const char *reference)
{
    call_prepare(call);
    call->foreign = false;
    berth_buf_reset(&call->url);
    berth_buf_addf(&call->url, "%s/v2/%s/manifests/%s", call->client->base, call->repository, reference);
}

int berth_manifest_get(berth_client *client, const char *repository, const char *reference,
                       berth_accept accept, berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_manifest_get_start(client, repository, reference, accept, &call, err);
    return call_run(r, call, ret_call, err);
}

int berth_manifest_head(berth_client *client, const char *repository, const char *reference,
                        berth_accept accept, berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_manifest_head_start(client, repository, reference, accept, &call, err);
    return call_run(r, call, ret_call, err);
}

int berth_manifest_digest(berth_client *client, const char *repository, const char *reference,
                          berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_manifest_digest_start(client, repository, reference, &call, err);
    return call_run(r, call, ret_call, err);
}
