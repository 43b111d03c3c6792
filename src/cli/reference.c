/* cli/reference.c - `berth reference REF`: what a reference means, piece by piece, or what is wrong with it.
 */
#include <berth/reference.h>
#include <jansson.h>
#include <stdio.h>

#include "cli/cli.h"
#include "util/str.h"

#define TRANSPORT "docker://" /* as podman and skopeo write it */

static const char help[] =
    "usage: berth reference REF [--output text|json]\n\n"
    "Says what an image reference means: where it is, under which name and tag. Nothing is asked over\n"
    "the network. docker:// before it is allowed. No tag is made up where there is none.\n\n"
    "  original          the text as given\n"
    "  normalised        the same in full; equal references have equal ones\n"
    "  netloc            the registry's host and port; Docker Hub's is registry-1.docker.io\n"
    "  name              the repository\n"
    "  tag               what follows the name: a digest, or else a tag\n"
    "  digest            the digest, checked\n"
    "  tag_type          symbolic, digest or no_tag\n"
    "  ref_without_tag   the normalised form without tag and digest\n\n"
    "What is not there is printed as -, in JSON as null.\n\n"
    "example:\n  berth reference alpine:3 --output json\n";

static const char *type_name(berth_tag_type type)
{
    switch (type) {
    case BERTH_TAG_SYMBOLIC:
        return "symbolic";
    case BERTH_TAG_DIGEST:
        return "digest";
    case BERTH_TAG_NONE:
        break;
    }
    return "no_tag";
}

static int print(const char *text, const berth_ref *ref, const char *digest, bool json)
{
    const struct {
        const char *key, *value;
    } fields[] = {
        {"original", text},
        {"normalised", ref->normalised},
        {"netloc", ref->netloc},
        {"name", ref->repository},
        {"tag", ref->tag},
        {"digest", digest},
        {"tag_type", type_name(ref->tag_type)},
        {"ref_without_tag", ref->without_tag},
    };
    json_t *object = json ? json_object() : NULL;
    for (size_t i = 0; i < COUNT(fields); i++)
        if (!json)
            printf("%-17s %s\n", fields[i].key, fields[i].value ? fields[i].value : "-");
        else if (json_object_set_new(object, fields[i].key,
                                     fields[i].value ? json_string(fields[i].value) : json_null()) < 0) {
            json_decref(object);
            fprintf(stderr, "berth reference: no memory\n");
            return EXIT_FAILED;
        }
    if (json) {
        json_dumpf(object, stdout, JSON_INDENT(2));
        printf("\n");
    }
    json_decref(object);
    return EXIT_OK;
}

int cmd_reference(int argc, char **argv)
{
    const char *text = NULL;
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            printf("%s", help);
            return EXIT_OK;
        }
        int took = cli_take_output("reference", argc, argv, &i, &json);
        if (took < 0)
            return EXIT_USAGE;
        if (took > 0)
            continue;
        if (text || argv[i][0] == '-')
            return cli_usage("reference", "'%s' is not understood", argv[i]);
        text = argv[i];
    }
    if (!text)
        return cli_usage("reference", "say which reference");

    CLEANUP(berth_ref_done) berth_ref ref = BERTH_REF_INIT;
    berth_digest digest;
    berth_error err = BERTH_ERROR_INIT;
    bool prefixed = str_starts(str_from(text), STR(TRANSPORT));
    int e = berth_ref_parse(text + (prefixed ? strlen(TRANSPORT) : 0), &ref, &err);
    if (e == BERTH_OK && ref.tag_type == BERTH_TAG_DIGEST)
        e = berth_ref_digest(&ref, &digest, &err);
    if (e != BERTH_OK)
        return cli_fail("reference", &err);
    return print(text, &ref, ref.tag_type == BERTH_TAG_DIGEST ? digest.text : NULL, json);
}
