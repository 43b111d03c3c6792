/* examples/reference.c - takes an image reference apart, and pins it by a digest.
 *
 *   cc reference.c $(pkg-config --cflags --libs berth) -o reference
 *   ./reference alpine:3 */
#include <berth/reference.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    berth_ref ref = BERTH_REF_INIT;
    berth_ref_options options = BERTH_REF_OPTIONS_INIT;
    berth_digest digest;
    berth_error err = BERTH_ERROR_INIT;
    options.default_tag = "latest";
    if (berth_ref_parse_with(argc > 1 ? argv[1] : "alpine", &options, &ref, &err) != BERTH_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("ask %s for %s of %s\n", ref.netloc, ref.tag, ref.repository);
    if (ref.tag_type == BERTH_TAG_DIGEST) {
        if (berth_ref_digest(&ref, &digest, &err) != BERTH_OK)
            fprintf(stderr, "%s\n", err.message);
        else
            printf("its %s is %s\n", berth_digest_algorithm_name(&digest), berth_digest_hex(&digest));
    }
    berth_ref_done(&ref);
    return err.code == BERTH_OK ? 0 : 1;
}
