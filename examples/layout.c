/* examples/layout.c - brings an image from a registry into an image layout on the disk, and reads it again:
 * what comes over the wire is written as it comes.
 *
 *   cc layout.c $(pkg-config --cflags --libs berth) -o layout && ./layout localhost:5000 team/app v1 folder
 */
#include <berth/layout.h>
#include <stdio.h>

static int bring_blob(berth_client *registry, const char *repository, const char *digest,
                      berth_layout *folder, berth_error *err)
{
    berth_layout_writer *blob = NULL;
    int r = berth_layout_writer_new(folder, digest, &blob, err);
    if (r == BERTH_OK)
        r = berth_blob_get(registry, repository, digest, berth_layout_writer_add, blob, NULL, err);
    if (r == BERTH_OK || r == BERTH_E_CANCELLED) /* which was the writer's: it knows why */
        r = berth_layout_writer_finish(blob, NULL, err);
    berth_layout_writer_free(blob);
    return r;
}

static int bring_image(berth_client *registry, const char *repository, const char *tag, berth_layout *folder,
                       berth_error *err)
{
    berth_call *found = NULL;
    berth_manifest *image = NULL;
    int r = berth_manifest_get(registry, repository, tag, BERTH_ACCEPT_IMAGE, &found, err);
    if (r == BERTH_OK) {
        const berth_content *m = berth_call_content(found);
        r = berth_manifest_parse(m->data, m->size, m->media_type, &image, err);
    }
    if (r == BERTH_OK && image->config)
        r = bring_blob(registry, repository, image->config->digest, folder, err);
    for (size_t i = 0; r == BERTH_OK && i < image->n_layers; i++)
        r = bring_blob(registry, repository, image->layers[i].digest, folder, err);
    if (r == BERTH_OK)
        r = berth_layout_manifest_put(folder, tag, image, err);
    berth_manifest_free(image);
    berth_call_free(found);
    return r;
}

static int print_entry(void *arg, const char *name, const berth_descriptor *manifest)
{
    (void)arg;
    printf("%s  %s\n", manifest->digest, name ? name : "-");
    return 0;
}

int main(int argc, char **argv)
{
    berth_client *registry = NULL;
    berth_layout *folder = NULL;
    berth_error err = BERTH_ERROR_INIT;
    if (argc != 5) {
        fprintf(stderr, "usage: %s HOST REPOSITORY TAG FOLDER\n", argv[0]);
        return 2;
    }
    int r = berth_client_new(argv[1], NULL, &registry, &err);
    if (r == BERTH_OK)
        r = berth_layout_open(argv[4], true, &folder, &err);
    if (r == BERTH_OK)
        r = bring_image(registry, argv[2], argv[3], folder, &err);
    if (r == BERTH_OK)
        r = berth_layout_verify(folder, NULL, NULL, &err);
    if (r == BERTH_OK)
        r = berth_layout_list(folder, print_entry, NULL, &err);
    if (r != BERTH_OK)
        fprintf(stderr, "%s\n", err.message);
    berth_layout_free(folder);
    berth_client_free(registry);
    return r == BERTH_OK ? 0 : 1;
}
