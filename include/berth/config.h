/* berth/config.h - what an image says of itself: platform, command, environment, labels, history
 * (image-spec, config.md; Docker's image config has the same form).
 *
 * A berth_config never changes: bytes are kept as they came, any number of threads may read. Bytes may be a
 * stranger's, and are bounded like manifests (berth/manifest.h); failures are the same too. */
#ifndef BERTH_CONFIG_H
#define BERTH_CONFIG_H

#include <berth/manifest.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One step of how the image was made. NULL: absent. */
typedef struct berth_history {
    const char *created, *author, *created_by, *comment;
    bool empty_layer; /* it made no layer */
    void *reserved[2];
} berth_history;

/* Read the fields, do not write them. NULL: absent. Made by this library alone, which may add fields at the
 * end. */
typedef struct berth_config {
    const void *data; /* the bytes as they came */
    size_t size;
    const char *digest; /* sha256 of the bytes */

    const char *created, *author; /* @created: RFC 3339, as it is written there */
    const berth_platform
        *platform; /* os, architecture, variant, os.version, os.features; NULL: none of them */

    const char *user, *working_dir, *stop_signal;
    const char *const *env; /* "PATH=/bin" */
    size_t n_env;
    const char *const *entrypoint;
    size_t n_entrypoint;
    const char *const *cmd;
    size_t n_cmd;
    const char *const *exposed_ports; /* "80/tcp" */
    size_t n_exposed_ports;
    const char *const *volumes; /* "/data" */
    size_t n_volumes;
    const berth_annotation *labels;
    size_t n_labels;

    const char *const *diff_ids; /* digests of the layers, unpacked */
    size_t n_diff_ids;
    const berth_history *history;
    size_t n_history;
} berth_config;

/** Read @n bytes, which are copied. What is absent is no error here: artifacts have configs of their own.
 * On success *@ret_config belongs to the caller: berth_config_free(). */
BERTH_API int berth_config_parse(const void *p, size_t n, berth_config **ret_config, berth_error *err);
BERTH_API void berth_config_free(berth_config *config); /* NULL is fine */

/** Whether @config is as strictly right as config-schema.json has it. BERTH_E_INVALID, naming the place. */
BERTH_API int berth_config_validate(const berth_config *config, berth_error *err);

/** The value of label @key, or NULL. Lent by @config. */
BERTH_API const char *berth_config_label(const berth_config *config, const char *key);

#ifdef __cplusplus
}
#endif
#endif
