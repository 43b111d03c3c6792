/* berth/reference.h - image references: "alpine:3", "registry.example:5000/team/app@sha256:…".
 *
 * A reference is [HOST[:PORT]/]NAME[:TAG][@DIGEST] (distribution-spec, "Pulling manifests", for NAME, TAG and
 * DIGEST). What stands before the first '/' is a host if it has a '.' or a ':', is "localhost", or is an IPv6
 * address in brackets; otherwise it is part of the name, as docker has it.
 *
 *     berth_ref ref = BERTH_REF_INIT;
 *     berth_error err = BERTH_ERROR_INIT;
 *     if (berth_ref_parse("alpine:3", &ref, &err) != BERTH_OK)
 *         return fail(err.message);
 *     puts(ref.normalised);           // registry-1.docker.io/library/alpine:3
 *     berth_ref_done(&ref);
 *
 * Docker Hub, and it alone, has short forms: a reference without a host goes there, one word is a name below
 * "library", and "docker.io" and "index.docker.io" are served by registry-1.docker.io. No tag is ever made
 * up: one that is missing stays missing, unless the options name a default.
 *
 * Strings of a berth_ref are its own: they live until berth_ref_done(). After parsing nothing changes them,
 * so any number of threads may read one reference. Nothing here does input or output. */
#ifndef BERTH_REFERENCE_H
#define BERTH_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <berth/digest.h>
#include <berth/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The longest text that is read as a reference, in bytes without the NUL. */
#define BERTH_REF_MAX 2048

/* What points at the manifest. Numbers are never reused. */
typedef enum berth_tag_type {
    BERTH_TAG_NONE = 0,     /* "alpine" */
    BERTH_TAG_SYMBOLIC = 1, /* "alpine:3" */
    BERTH_TAG_DIGEST = 2,   /* "alpine@sha256:…", with or without a symbolic tag before it */
} berth_tag_type;

/* Read the fields, do not write them. None is NULL but where it says so. */
typedef struct berth_ref {
    const char *original; /* the text as it was given: "alpine:3" */
    const char
        *normalised;      /* the whole: "registry-1.docker.io/library/alpine:3"; parsed again, it is equal */
    const char *registry; /* what people call the registry, for credentials and settings: "docker.io" */
    const char *netloc;   /* where it is reached, HOST[:PORT]: "registry-1.docker.io"; lower case */
    const char *repository;   /* the specification's <name>: "library/alpine" */
    const char *without_tag;  /* netloc and repository: "registry-1.docker.io/library/alpine" */
    const char *tag;          /* what follows the name, a digest before a tag; NULL: nothing does */
    const char *symbolic_tag; /* the tag, with or without a digest behind it; NULL: there is none */
    const char *digest_tag; /* what stands behind '@', not looked at yet: berth_ref_digest(); NULL: no '@' */
    berth_tag_type tag_type;
    void *reserved[4]; /* for fields to come */
} berth_ref;
#define BERTH_REF_INIT BERTH_INIT(berth_ref, BERTH_SET(tag_type, BERTH_TAG_NONE))

typedef struct berth_ref_options {
    size_t size;                   /* set by the initialiser; lets old callers keep working */
    const char *default_registry;  /* for references without a host, and one itself; NULL: Docker Hub */
    const char *default_namespace; /* put before a single word without a host; NULL: "library" at Docker Hub,
                                      nothing elsewhere */
    const char *default_tag;       /* where there is neither tag nor digest; NULL: none */
} berth_ref_options;
#define BERTH_REF_OPTIONS_INIT BERTH_INIT(berth_ref_options, BERTH_SET(size, sizeof(berth_ref_options)))

/**
 * Read @text. Whether a digest in it is one is checked when it is asked for: berth_ref_digest().
 * *@ret_ref must hold no reference yet (BERTH_REF_INIT); on success it is the caller's: berth_ref_done().
 * Returns BERTH_OK, BERTH_E_INVALID (with the registry's code NAME_INVALID for a name, MANIFEST_INVALID for a
 * tag, DIGEST_INVALID for what can be no digest) or BERTH_E_NOMEM; @err, if not NULL, says what is wrong, and
 * *@ret_ref is untouched.
 */
BERTH_API int berth_ref_parse(const char *text, berth_ref *ret_ref, berth_error *err);

/** The same with defaults of the caller's. @opts may be NULL; wrong defaults are BERTH_E_INVALID. */
BERTH_API int berth_ref_parse_with(const char *text, const berth_ref_options *opts, berth_ref *ret_ref,
                                   berth_error *err);

/** Free what @ref holds, and make it BERTH_REF_INIT again. NULL is fine, and so is a second time. */
BERTH_API void berth_ref_done(berth_ref *ref);

/** Whether both name the same: their normalised forms are equal. */
BERTH_API bool berth_ref_equal(const berth_ref *a, const berth_ref *b);

/** An order of references, by the bytes of their normalised forms: less than, equal to or greater than 0, as
 * strcmp() has it, and 0 exactly where berth_ref_equal() is true. */
BERTH_API int berth_ref_compare(const berth_ref *a, const berth_ref *b);

/** Equal references have equal hashes, in every process and version. Whoever names the references may make
 * them collide: no key is in it. */
BERTH_API uint64_t berth_ref_hash(const berth_ref *ref);

/** A copy that lives by itself. *@ret_ref as in berth_ref_parse(); it may not be @ref. BERTH_E_NOMEM. */
BERTH_API int berth_ref_copy(const berth_ref *ref, berth_ref *ret_ref, berth_error *err);

/**
 * The digest of @ref, checked. Returns BERTH_OK, or BERTH_E_INVALID where @ref has no digest, or one that is
 * malformed or of an unknown algorithm (DIGEST_INVALID); *@ret_digest is then untouched.
 */
BERTH_API int berth_ref_digest(const berth_ref *ref, berth_digest *ret_digest, berth_error *err);

/**
 * The same repository with another @tag, which may be a digest, instead of what follows the name now.
 * *@ret_ref as in berth_ref_parse(); it may not be @ref. Fails like berth_ref_parse() for a bad tag or
 * digest.
 */
BERTH_API int berth_ref_with_tag(const berth_ref *ref, const char *tag, berth_ref *ret_ref, berth_error *err);

/** The same with @digest, and the symbolic tag kept if there is one: pins "app:v1" as "app:v1@sha256:…". */
BERTH_API int berth_ref_with_digest(const berth_ref *ref, const berth_digest *digest, berth_ref *ret_ref,
                                    berth_error *err);

#ifdef __cplusplus
}
#endif
#endif
