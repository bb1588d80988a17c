/* SPDX-License-Identifier: MIT */
/* The interfaces of schema/, by name. */
#include "tools/mkmanifest/interfaces.h"

#include <string.h>

#define INTERFACE(interface_name, interface_id, ...)                                               \
    {                                                                                              \
        .name = #interface_name, .id = UINT64_C(interface_id),                                     \
        .methods = (const char *const[]){__VA_ARGS__},                                             \
        .method_count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)          \
    }

static const struct interface interfaces[] = {
    INTERFACE(BootPackage, 0x99206b79ffaec91e, "size", "read", "binary", "map"),
    INTERFACE(CapabilityManager, 0xaf4980182dc3f7d1, "list", "why", "census", "ledger"),
    INTERFACE(Console, 0xd167c2da040eaded, "write", "read", "info"),
    INTERFACE(Endpoint, 0xea929abcc16b1534, "receive", "answer", "mint", "info"),
    INTERFACE(EndpointFactory, 0xaaf667226871d866, "create"),
    INTERFACE(EntropySource, 0xf39cb54fad0e05ac, "read", "quality"),
    INTERFACE(File, 0x8b7a814ed303fbf8, "read", "readAt", "seek", "stat", "write", "writeAt",
              "truncate", "sync"),
    INTERFACE(Greeter, 0xfe2b1ee122e527bf, "greet", "finish"),
    INTERFACE(Log, 0xd7dbc5f409dcf4c7, "write", "read"),
    INTERFACE(FrameAllocator, 0xb4f631dd2bc76eb6, "allocate", "info"),
    INTERFACE(MemoryObject, 0xc07d77a709fbeb25, "info", "read", "write", "mapRead", "mapWrite",
              "mapExecute", "slice"),
    INTERFACE(VirtualMemory, 0x8a873baaca4d01ee, "map", "unmap", "protect", "reserve", "commit",
              "decommit", "query"),
    INTERFACE(NullObject, 0xc9df4163c492896e, "nothing", "echo"),
    INTERFACE(ProcessHandle, 0xbcd6754ac880ca2b, "wait", "kill", "info"),
    INTERFACE(ProcessSpawner, 0x9c95b3655906fd97, "spawn"),
    INTERFACE(SyncFactory, 0x9fcee02b8594649f, "createMutex", "createCondvar", "createSemaphore",
              "createQueue"),
    INTERFACE(ThreadSpawner, 0xa6122567efb35c69, "spawn"),
    INTERFACE(ThreadControl, 0xd664d94af83e43f1, "self", "setScheduling", "getScheduling",
              "setThreadPointer", "setFaultEndpoint", "createContext", "yield"),
    INTERFACE(Timer, 0x91553901e7c2b52b, "now", "sleep", "create"),
};

const struct interface *interface_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(interfaces); i++) {
        if (strcmp(interfaces[i].name, name) == 0) {
            return &interfaces[i];
        }
    }
    return NULL;
}

const struct interface *interface_by_id(uint64_t id)
{
    for (size_t i = 0; i < ARRAY_COUNT(interfaces); i++) {
        if (interfaces[i].id == id) {
            return &interfaces[i];
        }
    }
    return NULL;
}

struct name_list interface_names(struct pool *pool)
{
    const char **names = pool_alloc(pool, ARRAY_COUNT(interfaces), sizeof(*names));

    for (size_t i = 0; i < ARRAY_COUNT(interfaces); i++) {
        names[i] = interfaces[i].name;
    }
    return (struct name_list){names, ARRAY_COUNT(interfaces)};
}

struct name_list interface_methods(struct pool *pool, const struct interface *interface)
{
    const char **names = pool_alloc(pool, interface->method_count + 1, sizeof(*names));

    for (size_t i = 0; i < interface->method_count; i++) {
        names[i] = interface->methods[i];
    }
    return (struct name_list){names, interface->method_count};
}
