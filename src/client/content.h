/* client/content.h - a repository of a registry as a place that holds content; see content/content.h. */
#ifndef CLIENT_CONTENT_H
#define CLIENT_CONTENT_H

#include "content/content.h"

/* @client is lent, and must live longer. */
int content_registry_open(berth_client *client, const char *repository, content **ret, berth_error *err);

#endif
