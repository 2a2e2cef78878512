/*
 * What every vhost-user device needs: guest memory, and the messages of a front end.
 *
 * vhost_user_balloon.c is the device: it has the queues, and what it offers stands here.
 */
#ifndef VHINT_EXAMPLE_VHOST_USER_H
#define VHINT_EXAMPLE_VHOST_USER_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef FAULT
#define FAULT 0
#endif
enum fault {
    LATE_DISCARD = 1,  /* uses the buffer first, and discards a little later */
    NEIGHBOUR,         /* discards one page too many */
    WRONG_LENGTH,      /* says that it wrote what it discarded */
    ONE_CHAIN,         /* takes one chain for each kick */
    IGNORES_POISON,    /* discards pages that must go on reading as poison */
    FIRST_BYTE_ONLY,   /* checks that a hinted block begins in RAM, not that it ends there */
    DOUBLE_FETCH,      /* reads a hinting request again after it was validated */
    LOST_COOKIE,       /* answers hinting requests without their cookie */
    DEAF_TO_STOP,      /* goes on with a ring after GET_VRING_BASE */
    SHORT_ADDRESS,     /* keeps 32 bits of an address */
    FORGETS_OFFSET,    /* punches the file where the guest's address says, not the region's */
    EARLY_START        /* takes chains from a ring that is not enabled */
};

enum { PAGE = 4096, QUEUES = 4, REGIONS = 8, BUFFERS = 1024, MAX_HINTS = 512 };
enum { INFLATE, DEFLATE, REPORTING, HINTING }; /* compact over what is offered */

#define BIT(n) (UINT64_C(1) << (n))
#define F_PAGE_POISON BIT(4)
#define F_HINTING BIT(22)
#define F_INDIRECT BIT(28)
#define F_PROTOCOL BIT(30)
#define F_VERSION_1 BIT(32)
#define OFFERED \
    (BIT(0) | F_PAGE_POISON | BIT(5) | F_HINTING | F_INDIRECT | F_PROTOCOL | F_VERSION_1)
#define PROTOCOL (BIT(0) | BIT(3) | BIT(9) | BIT(13)) /* MQ, REPLY_ACK, CONFIG, RESET_DEVICE */

enum request {
    GET_FEATURES = 1, SET_FEATURES, SET_OWNER, RESET_OWNER, SET_MEM_TABLE, SET_VRING_NUM = 8,
    SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE, SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR,
    GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, SET_VRING_ENABLE, GET_CONFIG = 24,
    SET_CONFIG, RESET_DEVICE = 34
};

struct region { uint64_t guest, size, user, offset; uint8_t *map; int fd; };
struct descriptor { uint64_t addr; uint32_t len; uint16_t flags, next; };
struct buffer { uint64_t addr; uint32_t len; int writable; };
struct config { uint32_t num_pages, actual, cmd_id, poison, unused[2], max_count, min_order; };
struct block { uint64_t pfn; uint32_t order, reserved; };

struct ring {
    uint32_t size;
    uint64_t desc, avail, used; /* user addresses */
    uint16_t next, used_next;
    int enabled, broken, kick, call, err;
};

static struct region ram[REGIONS];
static int regions;
static struct ring rings[QUEUES];
static struct config config = {0, 0, 0, 0, {0, 0}, MAX_HINTS, 0};
static uint64_t features, protocol;
static struct buffer chain[BUFFERS]; /* the chain that is being served */
static int buffers;

static void shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Guest memory */

static const struct region *region_of(uint64_t addr)
{
    for (int i = 0; i < regions; i++)
        if (addr >= ram[i].guest && addr - ram[i].guest < ram[i].size)
            return &ram[i];
    return NULL;
}

/* Return how many of these bytes, from the first on, are RAM in one piece; *at is where. */
static uint64_t piece(uint64_t addr, uint64_t length, uint8_t **at)
{
    const struct region *in = region_of(addr);

    if (!in)
        return 0;
    *at = in->map + in->offset + (addr - in->guest);
    return length < in->size - (addr - in->guest) ? length : in->size - (addr - in->guest);
}

static int is_ram(uint64_t addr, uint64_t length)
{
    uint8_t *at;

    while (length) {
        uint64_t part = piece(addr, length, &at);

        if (!part)
            return 0;
        addr += part;
        length -= part;
    }
    return 1;
}

/* Give whole pages back to the host. */
static void discard(uint64_t addr, uint64_t length)
{
    if (FAULT == NEIGHBOUR && length && region_of(addr + length))
        length += PAGE;
    if (FAULT == SHORT_ADDRESS)
        addr = (uint32_t)addr;
    while (length) {
        const struct region *in = region_of(addr);
        uint64_t part, offset;
        uint8_t *at;

        if (!in)
            return;
        part = piece(addr, length, &at);
        offset = FAULT == FORGETS_OFFSET ? addr - in->guest : (uint64_t)(at - in->map);
        if (fallocate(in->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                      (off_t)part))
            perror("fallocate"); /* the pages stay, which is sound */
        addr += part;
        length -= part;
    }
}

static void *user_pointer(uint64_t addr, uint64_t length)
{
    for (int i = 0; i < regions; i++) {
        uint64_t at = addr - ram[i].user;

        if (addr >= ram[i].user && at < ram[i].size && length <= ram[i].size - at)
            return ram[i].map + ram[i].offset + at;
    }
    return NULL;
}

static void forget_ram(void)
{
    for (int i = 0; i < regions; i++) {
        munmap(ram[i].map, ram[i].offset + ram[i].size);
        close(ram[i].fd);
    }
    regions = 0;
}

/* Copy up to `room` of the chain's readable bytes; return how many there are. */
static uint64_t copy_in(void *to, uint64_t room)
{
    uint64_t total = 0;

    for (int i = 0; i < buffers; i++) {
        uint64_t addr = chain[i].addr, left = chain[i].writable ? 0 : chain[i].len;

        while (left) {
            uint8_t *at;
            uint64_t part = piece(addr, left, &at);

            if (total < room)
                memcpy((uint8_t *)to + total, at, part < room - total ? part : room - total);
            total += part;
            addr += part;
            left -= part;
        }
    }
    return total;
}

/* Write bytes to the chain's writable buffers; return how many found room. */
static uint32_t copy_out(const uint8_t *from, uint32_t length)
{
    uint32_t done = 0;

    for (int i = 0; i < buffers; i++) {
        uint64_t addr = chain[i].addr, left = chain[i].writable ? chain[i].len : 0;

        while (left && done < length) {
            uint8_t *at;
            uint64_t part = piece(addr, left, &at);

            part = part < length - done ? part : length - done;
            if (from)
                memcpy(at, from + done, part);
            done += (uint32_t)part;
            addr += part;
            left -= part;
        }
    }
    return done;
}

static void serve(int queue); /* the device: take what is available */

/* Messages */

struct message {
    uint32_t request, flags, size;
    union {
        uint64_t u64;
        struct { uint32_t index, num; } state;
        struct { uint32_t index, flags; uint64_t desc, used, avail, log; } addr;
        struct {
            uint32_t count, padding;
            struct { uint64_t guest, size, user, offset; } at[REGIONS];
        } memory;
        struct { uint32_t offset, size, flags; uint8_t data[256]; } config;
    } payload;
    int fds[REGIONS], nfds;
};
enum { MESSAGE_HEADER = 12 };

static void stop(struct ring *ring)
{
    ring->enabled = 0;
    if (FAULT == DEAF_TO_STOP) {
        ring->enabled = 1;
        return;
    }
    shut(&ring->kick);
    shut(&ring->call);
}

static void reset(void)
{
    for (int i = 0; i < QUEUES; i++)
        stop(&rings[i]);
    config.actual = config.poison = 0;
    features = 0;
}

static int map_ram(struct message *message)
{
    forget_ram();
    if (message->payload.memory.count != (uint32_t)message->nfds)
        return 0;
    for (int i = 0; i < message->nfds; i++) {
        struct region region = {
            message->payload.memory.at[i].guest, message->payload.memory.at[i].size,
            message->payload.memory.at[i].user, message->payload.memory.at[i].offset,
            NULL, message->fds[i]};

        if (region.size > BIT(46) || region.offset > BIT(46) || region.guest > BIT(62))
            return 0;
        region.map = mmap(NULL, region.offset + region.size, PROT_READ | PROT_WRITE, MAP_SHARED,
                          region.fd, 0);
        if (region.map == MAP_FAILED)
            return 0;
        message->fds[i] = -1;
        ram[regions++] = region;
    }
    return 1;
}

static int take_fd(struct message *message, int *fd)
{
    shut(fd);
    if (!(message->payload.u64 & BIT(8)) && message->nfds == 1) {
        *fd = message->fds[0];
        message->fds[0] = -1;
    }
    return 1;
}

static int write_config(const struct message *message)
{
    uint32_t offset = message->payload.config.offset, size = message->payload.config.size;

    if (size == 4 && (offset == 4 || offset == 12)) /* actual and poison_val */
        memcpy((uint8_t *)&config + offset, message->payload.config.data, size);
    return size <= 256;
}

/* Do what a message says; return whether it is right.  *replies: it has an answer of its own. */
static int handle(struct message *message, int *replies)
{
    uint32_t index = message->request >= SET_VRING_KICK && message->request <= SET_VRING_ERR
                         ? message->payload.u64 & 0xFF
                         : message->payload.state.index;
    struct ring *ring = &rings[index < QUEUES ? index : 0];
    int about_ring = (message->request >= SET_VRING_NUM && message->request <= SET_VRING_ERR) ||
                     message->request == SET_VRING_ENABLE;

    *replies = 0;
    if (about_ring && index >= QUEUES)
        return 0;
    switch (message->request) {
    case GET_FEATURES: case GET_PROTOCOL_FEATURES: case GET_QUEUE_NUM:
        *replies = 1;
        message->size = 8;
        message->payload.u64 = message->request == GET_FEATURES ? OFFERED
                               : message->request == GET_QUEUE_NUM ? QUEUES : PROTOCOL;
        return 1;
    case SET_FEATURES:
        features = message->payload.u64;
        return !(features & ~OFFERED) && (!(features & F_HINTING) || features & F_VERSION_1);
    case SET_PROTOCOL_FEATURES:
        protocol = message->payload.u64;
        return !(protocol & ~PROTOCOL);
    case SET_MEM_TABLE:
        return map_ram(message);
    case SET_VRING_NUM:
        ring->size = message->payload.state.num;
        return ring->size && ring->size <= 32768 && !(ring->size & (ring->size - 1));
    case SET_VRING_BASE:
        ring->next = ring->used_next = (uint16_t)message->payload.state.num;
        ring->broken = 0;
        return 1;
    case SET_VRING_ADDR:
        ring->desc = message->payload.addr.desc;
        ring->avail = message->payload.addr.avail;
        ring->used = message->payload.addr.used;
        return !(ring->desc % 16) && !(ring->avail % 2) && !(ring->used % 4);
    case GET_VRING_BASE:
        *replies = 1;
        message->payload.state.num = ring->next;
        stop(ring);
        return 1;
    case SET_VRING_KICK:
        if (!(features & F_PROTOCOL))
            ring->enabled = 1;
        return take_fd(message, &ring->kick);
    case SET_VRING_CALL:
        return take_fd(message, &ring->call);
    case SET_VRING_ERR:
        return take_fd(message, &ring->err);
    case SET_VRING_ENABLE:
        ring->enabled = message->payload.state.num || FAULT == DEAF_TO_STOP;
        if (ring->enabled)
            serve((int)index); /* what came while it was disabled */
        return 1;
    case GET_CONFIG:
        *replies = 1;
        if (message->payload.config.offset > 256 ||
            message->payload.config.size > 256 - message->payload.config.offset)
            message->payload.config.size = 0;
        message->size = MESSAGE_HEADER + message->payload.config.size;
        memset(message->payload.config.data, 0, sizeof message->payload.config.data);
        for (uint32_t i = 0; i < message->payload.config.size; i++)
            if (message->payload.config.offset + i < sizeof config)
                message->payload.config.data[i] =
                    ((uint8_t *)&config)[message->payload.config.offset + i];
        return 1;
    case SET_CONFIG:
        return write_config(message);
    case RESET_DEVICE:
        reset();
        return 1;
    case SET_OWNER:
        return 1;
    }
    fprintf(stderr, "request %u is not known here\n", message->request);
    return 0;
}

static int receive(int from, void *data, size_t size, struct message *message)
{
    for (size_t done = 0; done < size;) {
        union { struct cmsghdr header; char room[CMSG_SPACE(sizeof message->fds)]; } control;
        struct iovec part = {(uint8_t *)data + done, size - done};
        struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                              .msg_controllen = sizeof control};
        ssize_t got = recvmsg(from, &head, MSG_CMSG_CLOEXEC);
        struct cmsghdr *with = got > 0 ? CMSG_FIRSTHDR(&head) : NULL;

        if (got <= 0)
            return 0;
        if (with && with->cmsg_type == SCM_RIGHTS && !message->nfds) {
            message->nfds = (int)((with->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(message->fds, CMSG_DATA(with), message->nfds * sizeof(int));
        }
        done += (size_t)got;
    }
    return 1;
}

/* Take one message; return 0 when the front end has gone or talks nonsense. */
static int converse(int to)
{
    static struct message message;
    int replies, good, needs_reply;

    memset(&message, 0, sizeof message);
    if (!receive(to, &message, MESSAGE_HEADER, &message) ||
        message.size > sizeof message.payload ||
        !receive(to, &message.payload, message.size, &message))
        return 0;
    needs_reply = message.flags & 8 && protocol & BIT(3);
    good = handle(&message, &replies);
    for (int i = 0; i < message.nfds; i++)
        shut(&message.fds[i]); /* those that nobody took */
    if (!replies && !needs_reply)
        return good;
    if (!replies) {
        message.size = 8;
        message.payload.u64 = !good;
    }
    message.flags = 5; /* version 1, a reply */
    return sendmsg(to, &(struct msghdr){.msg_iov = (struct iovec[]){{&message, MESSAGE_HEADER},
                       {&message.payload, message.size}}, .msg_iovlen = 2}, MSG_NOSIGNAL) > 0;
}

#endif
