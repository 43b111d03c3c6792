/* tests/integration/own_allocator.c - what examples/ don't do and an allocator of the program's own sees:
 * memory that changes hands, a file of credentials, chunks, documents that are built. Called with host, a
 * repository of its own, and a folder; or without any, and then the allocator comes too late. */
#include <berth/berth.h>
#include <stdio.h>
#include <string.h>

#include "allocator.h"

static int late(void)
{
    berth_ref ref = BERTH_REF_INIT;
    berth_error err = BERTH_ERROR_INIT;
    berth_allocator none = BERTH_ALLOCATOR_INIT;
    int r = berth_allocator_set(&none, &err);
    printf("%d %s\n", r, err.message);
    if (berth_ref_parse("alpine", &ref, &err) != BERTH_OK)
        return 1;
    r = berth_allocator_set(&allocator, &err);
    printf("%d %s\n", r, err.message);
    berth_ref_done(&ref);
    berth_free(berth_malloc(10));
    return allocator_counts.taken != 0;
}

static int credentials(const char *host, const char *folder, berth_error *err)
{
    char file[4096];
    berth_credential who = BERTH_CREDENTIAL_INIT;
    snprintf(file, sizeof(file), "%s/config.json", folder);
    who.username = "alice";
    who.password = "secret";
    int r = berth_credentials_store(file, host, &who, 10000, err);
    return r == BERTH_OK ? berth_credentials_erase(file, host, 10000, err) : r;
}

static int names(berth_client *registry, const char *repository, berth_error *err)
{
    char *name = NULL, *url = NULL;
    berth_request *request = NULL;
    berth_call *answered = NULL;
    int r = berth_client_set_default_name(registry, repository, err);
    if (r == BERTH_OK)
        r = berth_request_new(registry, BERTH_GET, "/v2/<name>/tags/list", &request, err);
    if (r == BERTH_OK)
        r = berth_request_url(request, &url, err);
    name = berth_client_default_name(registry);
    if (r == BERTH_OK && (!name || strcmp(name, repository) != 0 || !strstr(url, repository)))
        r = berth_error_set(err, BERTH_E_INVALID, "the name is another");
    if (r == BERTH_OK)
        r = berth_request_send(request, &answered, err);
    if (r == BERTH_OK && !berth_response_body(berth_call_response(answered), NULL))
        r = berth_error_set(err, BERTH_E_NETWORK, "the answer has no body");
    berth_call_free(answered);
    berth_free(name);
    berth_free(url);
    berth_request_free(request);
    return r;
}

static int artifact(berth_client *registry, const char *repository, berth_error *err)
{
    static const char bytes[] = "0123456789";
    berth_source source = BERTH_SOURCE_BYTES(bytes, 10);
    berth_put_options chunked = BERTH_PUT_OPTIONS_INIT;
    berth_builder *builder = NULL;
    berth_manifest *manifest = NULL;
    berth_descriptor layer = BERTH_DESCRIPTOR_INIT;
    berth_call *put = NULL, *part = NULL;
    chunked.mode = BERTH_PUT_CHUNKED;
    int r = berth_blob_put(registry, repository, &source, &chunked, &put, err);
    if (r == BERTH_OK) {
        layer.digest = berth_call_content(put)->digest;
        layer.size = 10;
        layer.media_type = "text/plain";
        r = berth_blob_get_memory(registry, repository, layer.digest, 100, &part, err);
    }
    if (r == BERTH_OK && berth_call_content(part)->size != 10)
        r = berth_error_set(err, BERTH_E_DIGEST, "a blob came back shorter");
    if (r == BERTH_OK)
        r = berth_builder_new(BERTH_TYPE_OCI_MANIFEST, &builder, err);
    if (r == BERTH_OK)
        r = berth_builder_set_config(builder, &layer, err);
    if (r == BERTH_OK)
        r = berth_builder_add_layer(builder, &layer, err);
    if (r == BERTH_OK)
        r = berth_builder_set_annotation(builder, "org.example.kind", "test", err);
    if (r == BERTH_OK)
        r = berth_builder_finish(builder, &manifest, err);
    if (r == BERTH_OK)
        r = berth_manifest_put(registry, repository, "v1", manifest->data, manifest->size, NULL, NULL, err);
    if (r == BERTH_OK)
        r = berth_manifest_delete(registry, repository, manifest->digest, err);
    berth_manifest_free(manifest);
    berth_builder_free(builder);
    berth_call_free(part);
    berth_call_free(put);
    return r;
}

int main(int argc, char **argv)
{
    berth_client *registry = NULL;
    berth_error err = BERTH_ERROR_INIT;
    if (argc != 4)
        return late();
    int r = berth_client_new(argv[1], NULL, &registry, &err);
    if (r == BERTH_OK)
        r = names(registry, argv[2], &err);
    if (r == BERTH_OK)
        r = artifact(registry, argv[2], &err);
    if (r == BERTH_OK)
        r = credentials(argv[1], argv[3], &err);
    if (r != BERTH_OK)
        fprintf(stderr, "%s\n", err.message);
    berth_client_free(registry);
    return r == BERTH_OK ? 0 : 1;
}
