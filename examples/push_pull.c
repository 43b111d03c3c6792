/* examples/push_pull.c - asks a registry, pushes an artifact, pulls it back; C and C++.
 *
 *   cc push_pull.c $(pkg-config --cflags --libs berth) -o push_pull && ./push_pull localhost:5000 */
#include <berth/download.h>
#include <berth/manifest.h>
#include <berth/upload.h>
#include <stdio.h>

#define EMPTY "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" /* of "{}" */

int main(int argc, char **argv)
{
    static const char manifest[] =
        "{\"schemaVersion\":2,\"mediaType\":\"" BERTH_TYPE_OCI_MANIFEST "\",\"artifactType\":\"text/plain\","
        "\"config\":{\"mediaType\":\"" BERTH_TYPE_OCI_EMPTY "\",\"digest\":\"" EMPTY
        "\",\"size\":2},\"layers\":[]}";
    berth_source blob = BERTH_SOURCE_BYTES("{}", 2);
    berth_client *registry = NULL;
    berth_call *put = NULL, *pushed = NULL, *pulled = NULL;
    berth_error err = BERTH_ERROR_INIT;
    if (argc == 2 && berth_client_new(argv[1], NULL, &registry, &err) == BERTH_OK &&
        berth_ping(registry, &err) == BERTH_OK &&
        berth_blob_put(registry, "team/hello", &blob, NULL, &put, &err) == BERTH_OK &&
        berth_manifest_put(registry, "team/hello", "v1", manifest, sizeof(manifest) - 1, NULL, &pushed,
                           &err) == BERTH_OK &&
        berth_manifest_get(registry, "team/hello", "v1", BERTH_ACCEPT_ANY, &pulled, &err) == BERTH_OK)
        printf("%s\n", berth_call_content(pulled)->digest);
    else
        fprintf(stderr, "%s\n", argc == 2 ? err.message : "usage: push_pull HOST");
    berth_call_free(put);
    berth_call_free(pushed);
    berth_call_free(pulled);
    berth_client_free(registry);
    return argc == 2 && err.code == BERTH_OK ? 0 : 1;
}
