/* berth/layout.h - an OCI image layout on the disk (image-spec, image-layout.md): what is in it, its
 * manifests and blobs, new ones, their tags, and whether all of it is right.
 *
 *     berth_layout *folder = NULL;
 *     berth_manifest *m = NULL;
 *     berth_error err = BERTH_ERROR_INIT;
 *     if (berth_layout_open("folder", false, &folder, &err) == BERTH_OK
 *         && berth_layout_manifest_get(folder, "v1", &m, &err) == BERTH_OK)
 *         puts(m->digest);
 *     berth_manifest_free(m);
 *     berth_layout_free(folder);
 *
 * What comes out of a layout agrees with its digest. A blob or manifest has its name only when it is whole
 * and on the disk, and index.json is read, changed and replaced under a lock of the folder: several processes
 * may write one layout, and one that is killed leaves it as it was. Links below the folder are not followed.
 *
 * A berth_layout belongs to one thread at a time; a folder may be open more than once. Calls wait for the
 * disk. Errors: BERTH_E_NOT_FOUND, BERTH_E_DIGEST (bytes are not what their digest says), BERTH_E_INVALID (a
 * digest or a document that is none), BERTH_E_TOO_BIG (a manifest or an index.json above 32 MiB),
 * BERTH_E_NO_SPACE, BERTH_E_DENIED, BERTH_E_IO, BERTH_E_NOMEM, BERTH_E_CANCELLED (a function answered other
 * than 0). @err, if not NULL, says why, and outputs are untouched. */
#ifndef BERTH_LAYOUT_H
#define BERTH_LAYOUT_H

#include <berth/client.h>
#include <berth/manifest.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct berth_layout berth_layout; /* opaque */

/** The layout at @path. With @create the folder, and an empty layout in it, are made where they are not
 * there. BERTH_E_NOT_FOUND: there is no such folder, or it is no layout; BERTH_E_UNSUPPORTED: of a version
 * other than 1.x. On success *@ret_layout is the caller's: berth_layout_free(). */
BERTH_API int berth_layout_open(const char *path, bool create, berth_layout **ret_layout, berth_error *err);
BERTH_API void berth_layout_free(berth_layout *layout); /* NULL is fine */

/* --- the file "oci-layout", for who keeps a layout elsewhere --- */

/* What it holds. */
#define BERTH_LAYOUT_FILE "{\"imageLayoutVersion\":\"1.0.0\"}"

/** Whether @n bytes are an "oci-layout" file. BERTH_E_INVALID; BERTH_E_UNSUPPORTED for a version other
 * than 1.x. */
BERTH_API int berth_layout_file_check(const void *p, size_t n, berth_error *err);

/* --- manifests --- */

/* An entry of index.json: its media type, digest and size. @name is its org.opencontainers.image.ref.name,
 * most often a tag, and may be any text; NULL: it has none. Valid for the time of the call; another answer
 * than 0 ends the listing with BERTH_E_CANCELLED. */
typedef int (*berth_layout_entry_fn)(void *arg, const char *name, const berth_descriptor *manifest);

/** The entries of index.json, in their order. */
BERTH_API int berth_layout_list(berth_layout *layout, berth_layout_entry_fn fn, void *arg, berth_error *err);

/** The manifest at @reference: a digest, or a tag, which may also be the end of a name
 * ("registry.example/app:v1" is found by "v1"); NULL: the only one there is. *@ret_manifest is the caller's:
 * berth_manifest_free(). */
BERTH_API int berth_layout_manifest_get(berth_layout *layout, const char *reference,
                                        berth_manifest **ret_manifest, berth_error *err);

/** Brings @manifest in: under a tag, which leaves what it pointed at; or under no name when @reference is its
 * digest (BERTH_E_DIGEST: it has another); NULL: as a part of an index, to which index.json does not lead by
 * itself. That what it refers to is there is not looked at: berth_layout_verify(). BERTH_E_UNSUPPORTED for
 * Docker's schema 1. */
BERTH_API int berth_layout_manifest_put(berth_layout *layout, const char *reference,
                                        const berth_manifest *manifest, berth_error *err);

/** Sets @tag on the manifest at @reference. */
BERTH_API int berth_layout_tag(berth_layout *layout, const char *reference, const char *tag,
                               berth_error *err);

/** Takes @tag away; what it points at stays, without a name if it has no other. With @purge its manifest
 * leaves index.json, with every tag on it. Blobs stay in any case. BERTH_E_NOT_FOUND. */
BERTH_API int berth_layout_untag(berth_layout *layout, const char *tag, bool purge, berth_error *err);

/* Valid for the time of the call; another answer than 0 ends the listing with BERTH_E_CANCELLED. */
typedef int (*berth_descriptor_fn)(void *arg, const berth_descriptor *descriptor);

/** The manifests of index.json whose subject is @digest, with their annotations; @artifact_type NULL: of any
 * type. */
BERTH_API int berth_layout_referrers(berth_layout *layout, const char *digest, const char *artifact_type,
                                     berth_descriptor_fn fn, void *arg, berth_error *err);

/* --- blobs --- */

/** How many bytes a blob has. BERTH_E_NOT_FOUND: it is not there. */
BERTH_API int berth_layout_blob_size(berth_layout *layout, const char *digest, uint64_t *ret_size,
                                     berth_error *err);

/** A blob, in pieces. Its digest is computed on the way: what @fn was given is not to be trusted before this
 * has returned BERTH_OK. */
BERTH_API int berth_layout_blob_get(berth_layout *layout, const char *digest, berth_sink_fn fn, void *arg,
                                    berth_error *err);

typedef struct berth_layout_writer berth_layout_writer; /* opaque: a blob on its way into a layout */

/** A blob of the given @digest; NULL: of whatever its bytes turn out to have (sha256). @layout must live as
 * long.
 * *@ret_writer is the caller's: berth_layout_writer_free(). */
BERTH_API int berth_layout_writer_new(berth_layout *layout, const char *digest,
                                      berth_layout_writer **ret_writer, berth_error *err);

/** Its next bytes. A berth_sink_fn, so that berth_blob_get() and its like can write into a layout: another
 * answer than 0 says that it failed, and berth_layout_writer_finish() says why. */
BERTH_API int berth_layout_writer_add(void *writer, const void *p, size_t n);

/** No more bytes: the blob gets its name. *@ret_blob, unless NULL, has its digest and size, the former lent
 * by
 * @writer; a media type is yours to set. Once. */
BERTH_API int berth_layout_writer_finish(berth_layout_writer *writer, berth_descriptor *ret_blob,
                                         berth_error *err);
BERTH_API void
berth_layout_writer_free(berth_layout_writer *writer); /* NULL is fine; removes what is unfinished */

/* --- whether it is right --- */

/* What is wrong with the blob or manifest @digest; NULL: with index.json. The code of @why tells absence
 * (BERTH_E_NOT_FOUND) from bytes or documents that are wrong. Another answer than 0 ends the reading with
 * BERTH_E_CANCELLED. */
typedef int (*berth_layout_problem_fn)(void *arg, const char *digest, const berth_error *why);

/** Reads all that index.json leads to, each blob once: whether it is there, whether digest and size are what
 * is said of it, whether manifests can be read. Layers that live elsewhere (those with urls) may be absent,
 * and so may subjects. BERTH_E_CORRUPT: something is wrong; @fn, unless NULL, was told of each, and @err has
 * the first. */
BERTH_API int berth_layout_verify(berth_layout *layout, berth_layout_problem_fn fn, void *arg,
                                  berth_error *err);

#ifdef __cplusplus
}
#endif
#endif
