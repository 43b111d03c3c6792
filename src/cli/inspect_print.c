/* cli/inspect_print.c - what `berth inspect` prints: a document of what an image says of itself, and the same
 * for people. */
#include <ctype.h>
#include <stdio.h>

#include "cli/artifact.h"
#include "cli/inspect.h"

static json_t *texts_json(const char *const *texts, size_t n)
{
    json_t *j = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(j, json_string(texts[i]));
    return j;
}

static void add_config(json_t *j, const berth_config *c)
{
    place_set_text(j, "created", c->created);
    place_set_text(j, "author", c->author);
    place_set_text(j, "os", c->platform ? c->platform->os : NULL);
    place_set_text(j, "osVersion", c->platform ? c->platform->os_version : NULL);
    place_set_text(j, "architecture", c->platform ? c->platform->architecture : NULL);
    place_set_text(j, "variant", c->platform ? c->platform->variant : NULL);
    place_set_text(j, "user", c->user);
    place_set_text(j, "workingDir", c->working_dir);
    place_set_text(j, "stopSignal", c->stop_signal);
    json_object_set_new(j, "labels", place_pairs_json(c->labels, c->n_labels));
    json_object_set_new(j, "env", texts_json(c->env, c->n_env));
    json_object_set_new(j, "entrypoint", texts_json(c->entrypoint, c->n_entrypoint));
    json_object_set_new(j, "cmd", texts_json(c->cmd, c->n_cmd));
    json_object_set_new(j, "exposedPorts", texts_json(c->exposed_ports, c->n_exposed_ports));
    json_object_set_new(j, "volumes", texts_json(c->volumes, c->n_volumes));
}

static json_t *layers_json(const berth_manifest *m, const berth_config *c)
{
    json_t *layers = json_array();
    for (size_t i = 0; i < m->n_layers; i++) {
        json_t *layer = place_descriptor_json(&m->layers[i]);
        if (c && i < c->n_diff_ids)
            place_set_text(layer, "diffID", c->diff_ids[i]);
        json_array_append_new(layers, layer);
    }
    return layers;
}

json_t *inspect_document(const struct inspected *i)
{
    const berth_manifest *m = i->image;
    json_t *j = json_object();
    place_set_text(j, "name", i->place.name);
    place_set_text(j, "reference", i->place.reference);
    place_set_text(j, "digest", i->root->digest);
    place_set_text(j, "mediaType", i->root->media_type);
    if (i->root->kind == BERTH_KIND_INDEX) {
        json_t *manifests = json_array();
        for (size_t k = 0; k < i->root->n_manifests; k++)
            json_array_append_new(manifests, place_descriptor_json(&i->root->manifests[k]));
        json_object_set_new(j, "manifests", manifests);
        place_set_text(j, "imageDigest", m->digest);
        place_set_text(j, "imageMediaType", m->media_type);
    }
    place_set_text(j, "artifactType", m->artifact_type);
    if (m->subject)
        json_object_set_new(j, "subject", place_descriptor_json(m->subject));
    json_object_set_new(j, "annotations", place_pairs_json(m->annotations, m->n_annotations));
    if (m->config)
        json_object_set_new(j, "config", place_descriptor_json(m->config));
    if (i->config)
        add_config(j, i->config);
    json_object_set_new(j, "layers", layers_json(m, i->config));
    return j;
}

/* --- for people --- */

static void print_entry(const char *key, const char *name, const json_t *v)
{
    const json_t *digest = json_object_get(v, "digest"), *platform = json_object_get(v, "platform");
    printf("%-16s ", key ? key : "");
    place_print(name);
    if (json_is_string(v))
        place_print(json_string_value(v));
    else if (json_is_integer(v))
        printf("%lld", (long long)json_integer_value(v));
    else if (digest) {
        printf("%s  %lld  ", json_string_value(digest),
               (long long)json_integer_value(json_object_get(v, "size")));
        place_print(json_string_value(json_is_string(platform) ? platform : json_object_get(v, "mediaType")));
        const char *title =
            json_string_value(json_object_get(json_object_get(v, "annotations"), ARTIFACT_TITLE));
        if (title) {
            printf("  ");
            place_print(title);
        }
    }
    printf("\n");
}

/* "media type" of "mediaType", "diff ID" of "diffID". */
static const char *words_of(const char *key, berth_buf *out)
{
    for (const char *at = key; *at; at++) {
        bool upper = isupper((unsigned char)*at), more = isupper((unsigned char)at[1]);
        bool begins = upper && at > key && !isupper((unsigned char)at[-1]);
        berth_buf_addf(out, "%s%c", begins ? " " : "",
                       begins && !more && at[1] ? tolower((unsigned char)*at) : *at);
    }
    return berth_buf_cstr(out);
}

static void print_value(const char *field, json_t *v)
{
    CLEANUP(berth_buf_done) berth_buf words = BERTH_BUF_INIT(KIB);
    const char *name, *key = words_of(field, &words);
    json_t *value;
    CLEANUP(berth_buf_done) berth_buf label = BERTH_BUF_INIT(MIB);
    if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++)
            print_entry(i ? "" : key, NULL, json_array_get(v, i));
        return;
    }
    if (!json_is_object(v) || json_object_get(v, "mediaType")) { /* a text, a number, or a descriptor */
        print_entry(key, NULL, v);
        return;
    }
    json_object_foreach(v, name, value)
    {
        berth_buf_reset(&label);
        berth_buf_addf(&label, "%s=", name);
        print_entry(key, berth_buf_cstr(&label), value);
        key = "";
    }
}

static void print_shared(const json_t *v)
{
    print_entry("shared with", NULL, json_object_get(v, "reference"));
    print_entry("", NULL, v); /* its digest and size */
    print_entry("shared size", NULL, json_object_get(v, "sharedSize"));
}

void inspect_print(json_t *document)
{
    const char *key;
    json_t *v;
    json_object_foreach(document, key, v)
    {
        if (strcmp(key, "sharedWith") == 0)
            print_shared(v);
        else
            print_value(key, v);
    }
}
