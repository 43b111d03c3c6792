/* berth/berth.h - all of libberth. A program that embeds the registry takes berth/server.h beside it. */
#ifndef BERTH_BERTH_H
#define BERTH_BERTH_H

#include <berth/client.h>
#include <berth/config.h>
#include <berth/connection.h>
#include <berth/credentials.h>
#include <berth/digest.h>
#include <berth/download.h>
#include <berth/error.h>
#include <berth/layout.h>
#include <berth/manifest.h>
#include <berth/memory.h>
#include <berth/reference.h>
#include <berth/request.h>
#include <berth/upload.h>

#endif
