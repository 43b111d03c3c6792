/* oci/mediatype.h - the media types a registry must tell apart. Pure. */
#ifndef OCI_MEDIATYPE_H
#define OCI_MEDIATYPE_H

#include "util/str.h"

#define MT_OCI_MANIFEST       "application/vnd.oci.image.manifest.v1+json"
#define MT_OCI_INDEX          "application/vnd.oci.image.index.v1+json"
#define MT_OCI_EMPTY          "application/vnd.oci.empty.v1+json"
#define MT_DOCKER_MANIFEST    "application/vnd.docker.distribution.manifest.v2+json"
#define MT_DOCKER_LIST        "application/vnd.docker.distribution.manifest.list.v2+json"
#define MT_DOCKER_SCHEMA1     "application/vnd.docker.distribution.manifest.v1+json"
#define MT_DOCKER_SCHEMA1_JWS "application/vnd.docker.distribution.manifest.v1+prettyjws"

enum manifest_kind {
    MANIFEST_IMAGE,   /* OCI image manifest (artifacts too), Docker schema 2 */
    MANIFEST_INDEX,   /* OCI index, Docker list */
    MANIFEST_SCHEMA1, /* stored as bytes */
    MANIFEST_OTHER,   /* any other type: not accepted */
};

enum manifest_kind mediatype_kind(berth_str media_type); /* case-insensitive, without parameters */
berth_str mediatype_canonical(berth_str media_type);     /* the constant above; empty for other types */
bool mediatype_is_docker(berth_str media_type);

/* "Type/Subtype; charset=utf-8" → "Type/Subtype", trimmed; parameters are ignored on push. */
berth_str mediatype_essence(berth_str content_type);

/* RFC 6838 syntax of type "/" subtype, at most 255 bytes. */
bool mediatype_valid(berth_str media_type);

/* A layer whose bytes live elsewhere and need not be in the registry (…nondistributable…, …foreign…). */
bool mediatype_is_foreign(berth_str media_type);

#endif
