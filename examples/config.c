/* examples/config.c - the config of an image, as DRCA's README gets that of busybox: manifest, then the blob
 * it names.
 *
 *   cc config.c $(pkg-config --cflags --libs berth) -o config && ./config busybox:1.30.1 */
#include <berth/download.h>
#include <berth/manifest.h>
#include <berth/reference.h>
#include <stdio.h>

#define CONFIG_MAX (4 << 20)

int main(int argc, char **argv)
{
    berth_ref image = BERTH_REF_INIT;
    berth_ref_options defaults = BERTH_REF_OPTIONS_INIT;
    berth_client *registry = NULL;
    berth_call *found = NULL, *got = NULL;
    berth_manifest *manifest = NULL;
    berth_error err = BERTH_ERROR_INIT;
    defaults.default_tag = "latest";
    if (berth_ref_parse_with(argc > 1 ? argv[1] : "busybox:1.30.1", &defaults, &image, &err) == BERTH_OK &&
        berth_client_new(image.netloc, NULL, &registry, &err) == BERTH_OK &&
        berth_manifest_get(registry, image.repository, image.tag, BERTH_ACCEPT_IMAGE, &found, &err) ==
            BERTH_OK) {
        const berth_content *m = berth_call_content(found);
        if (berth_manifest_parse(m->data, m->size, m->media_type, &manifest, &err) == BERTH_OK &&
            !manifest->config) /* registries need not mind what is asked for */
            fprintf(stderr, "%s is an index: name one of its images by digest\n", image.normalised);
        else if (manifest && berth_blob_get_memory(registry, image.repository, manifest->config->digest,
                                                   CONFIG_MAX, &got, &err) == BERTH_OK)
            fwrite(berth_call_content(got)->data, 1, berth_call_content(got)->size, stdout);
    }
    if (err.code != BERTH_OK)
        fprintf(stderr, "%s\n", err.message);
    berth_call_free(got);
    berth_call_free(found);
    berth_manifest_free(manifest);
    berth_client_free(registry);
    berth_ref_done(&image);
    return got ? 0 : 1;
}
