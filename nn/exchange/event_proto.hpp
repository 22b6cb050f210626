#pragma once

// The messages of event.proto, which protoc makes while building: for the sources of this room.

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <event.pb.h>
#pragma GCC diagnostic pop
