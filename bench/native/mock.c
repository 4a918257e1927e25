// mock: a very small epoll HTTP/1.1 server that speaks just enough OpenAI
// chat/completions and Anthropic messages to benchmark gateways on loopback.
//   gcc -O2 -o mock mock.c && ./mock -p 9100
// Paths (any prefix may precede the API path):
//   /v1/chat/completions  non-streaming JSON (~600 B), or SSE if the body has "stream":true
//   /v1/messages          the Anthropic shape of both
//   /d<ms>n<chunks>/...   streaming: pace one SSE event each <ms> ms, <chunks> tokens
//                         (d0 = whole stream in one write); non-streaming: answer after <ms> ms
// Every token carries "@<19 digit CLOCK_MONOTONIC ns>" in its text so that the client
// (load.c) can measure how long each event took to come through the gateway.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct conn {
  int fd, anth, idx, n, delay, waiting, close_after;
  char *in; size_t inlen, incap;
  char *out; size_t outlen, outoff, outcap;
  int armed_out, stream; uint64_t due; int heap_i; struct conn *next_free;
} conn;

static int ep; static conn **heap; static int heap_n, heap_cap;
static volatile sig_atomic_t stop_flag;
static uint64_t n_req, n_bad;
static uint64_t now_ns(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec; }
static void hswap(int a, int b) { conn *t = heap[a]; heap[a] = heap[b]; heap[b] = t; heap[a]->heap_i = a; heap[b]->heap_i = b; }
static void up(int i) { while (i && heap[(i-1)/2]->due > heap[i]->due) { hswap(i, (i-1)/2); i = (i-1)/2; } }
static void down(int i) { for (;;) { int l = 2*i+1, m = i; if (l < heap_n && heap[l]->due < heap[m]->due) m = l; if (l+1 < heap_n && heap[l+1]->due < heap[m]->due) m = l+1; if (m == i) return; hswap(i, m); i = m; } }
static void hpush(conn *c) { if (heap_n == heap_cap) { heap_cap = heap_cap ? heap_cap*2 : 1024; heap = realloc(heap, heap_cap*sizeof *heap); } c->heap_i = heap_n; heap[heap_n] = c; up(heap_n++); }
static void hdel(conn *c) { int i = c->heap_i; if (i < 0) return; heap_n--; if (i != heap_n) { hswap(i, heap_n); up(i); down(i); } c->heap_i = -1; }

static void addout(conn *c, const char *b, size_t n) {
  if (c->outlen + n > c->outcap) { c->outcap = (c->outlen + n) * 2; c->out = realloc(c->out, c->outcap); }
  memcpy(c->out + c->outlen, b, n); c->outlen += n;
}
static void addchunk(conn *c, const char *b, size_t n) { char h[16]; int k = sprintf(h, "%zx\r\n", n); addout(c, h, k); addout(c, b, n); addout(c, "\r\n", 2); }

static char JSON_OAI[1024], JSON_ANT[1024], USAGE_OAI[1024]; static size_t LOAI, LANT, LUSAGE;
static const char *SSE_HDR = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\nx-request-id: req_0123456789abcdef\r\nTransfer-Encoding: chunked\r\n\r\n";
static void init_bodies(void) {
  char b[900]; int n = sprintf(b, "{\"id\":\"chatcmpl-BxT8mQmYbG3kHj2LwZr1Vs0NfPa4c\",\"object\":\"chat.completion\",\"created\":1790000000,\"model\":\"mock-up-2026-01-01\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"The quick brown fox jumps over the lazy dog and then it rests for a while under the old oak tree.\",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":23,\"completion_tokens\":20,\"total_tokens\":43,\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0}},\"system_fingerprint\":\"fp_44709d6fcb\"}");
  LOAI = sprintf(JSON_OAI, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: req_0123456789abcdef\r\nContent-Length: %d\r\n\r\n%s", n, b);
  n = sprintf(b, "{\"id\":\"msg_01XFDUDYJgAACzvnptvVoYEL\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"mock-up-2026-01-01\",\"content\":[{\"type\":\"text\",\"text\":\"The quick brown fox jumps over the lazy dog and then it rests for a while under the old oak tree.\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":23,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":20}}");
  LANT = sprintf(JSON_ANT, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nrequest-id: req_0123456789abcdef\r\nContent-Length: %d\r\n\r\n%s", n, b);
  LUSAGE = sprintf(USAGE_OAI, "data: {\"id\":\"chatcmpl-BxT8mQmYbG3kHj2LwZr1Vs0NfPa4c\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"mock-up-2026-01-01\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[],\"usage\":{\"prompt_tokens\":23,\"completion_tokens\":20,\"total_tokens\":43,\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0}}}\n\n");
}
// emit event number i (0..n-1 tokens, then the closing ones); returns 1 when the stream is over
static int emit(conn *c, int i) {
  char b[1024]; int k; unsigned long long t = now_ns();
  if (!c->anth) {
    if (i < c->n) {
      k = sprintf(b, "data: {\"id\":\"chatcmpl-BxT8mQmYbG3kHj2LwZr1Vs0NfPa4c\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"mock-up-2026-01-01\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[{\"index\":0,\"delta\":{%s\"content\":\" @%019llu tok\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n", i ? "" : "\"role\":\"assistant\",", t);
      addchunk(c, b, k); return 0;
    }
    k = sprintf(b, "data: {\"id\":\"chatcmpl-BxT8mQmYbG3kHj2LwZr1Vs0NfPa4c\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"mock-up-2026-01-01\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":null}\n\n");
    addchunk(c, b, k); addchunk(c, USAGE_OAI, LUSAGE); addchunk(c, "data: [DONE]\n\n", 14); addout(c, "0\r\n\r\n", 5); return 1;
  }
  if (i == 0) {
    k = sprintf(b, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01XFDUDYJgAACzvnptvVoYEL\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"mock-up-2026-01-01\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":23,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":1}}}\n\n");
    addchunk(c, b, k);
    k = sprintf(b, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"); addchunk(c, b, k);
  }
  if (i < c->n) { k = sprintf(b, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" @%019llu tok\"}}\n\n", t); addchunk(c, b, k); return 0; }
  k = sprintf(b, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"); addchunk(c, b, k);
  k = sprintf(b, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":20}}\n\n"); addchunk(c, b, k);
  k = sprintf(b, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"); addchunk(c, b, k); addout(c, "0\r\n\r\n", 5); return 1;
}
static void cclose(conn *c) { if (c->waiting) hdel(c); close(c->fd); free(c->in); free(c->out); free(c); }
static int flush(conn *c) {
  while (c->outoff < c->outlen) {
    ssize_t w = send(c->fd, c->out + c->outoff, c->outlen - c->outoff, MSG_NOSIGNAL);
    if (w < 0) { if (errno == EAGAIN) { if (!c->armed_out) { struct epoll_event e = {EPOLLIN | EPOLLOUT, {.ptr = c}}; epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e); c->armed_out = 1; } return 0; } return -1; }
    c->outoff += w;
  }
  c->outoff = c->outlen = 0;
  if (c->armed_out) { struct epoll_event e = {EPOLLIN, {.ptr = c}}; epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e); c->armed_out = 0; }
  return c->close_after && !c->waiting ? -1 : 0;
}
static int process(conn *c) { // handle the complete requests in the buffer
  while (!c->waiting && c->inlen) {
    char *he = memmem(c->in, c->inlen, "\r\n\r\n", 4);
    if (!he) return c->inlen > 65536 ? -1 : 0;
    size_t hl = he + 4 - c->in, cl = 0; int te = 0;
    for (char *p = memchr(c->in, '\n', hl); p && (size_t)(p - c->in) < hl - 2;) {
      p++;
      if (!strncasecmp(p, "content-length:", 15)) cl = strtoul(p + 15, 0, 10);
      else if (!strncasecmp(p, "transfer-encoding:", 18)) te = 1;
      else if (!strncasecmp(p, "connection: close", 17)) c->close_after = 1;
      p = memchr(p, '\n', hl - (p - c->in));
    }
    size_t body_end;
    if (te) { char *e = memmem(c->in + hl, c->inlen - hl, "\r\n0\r\n\r\n", 7); if (!e) return 0; body_end = e + 7 - c->in; }
    else { if (c->inlen < hl + cl) return 0; body_end = hl + cl; }
    n_req++;
    char *path = memchr(c->in, ' ', hl); path++; char *pe = memchr(path, ' ', hl - (path - c->in));
    c->anth = memmem(path, pe - path, "/messages", 9) != 0;
    c->delay = 0; c->n = 20;
    if (path[1] == 'd' && path[2] >= '0' && path[2] <= '9') { char *q; c->delay = strtol(path + 2, &q, 10); if (*q == 'n') c->n = strtol(q + 1, 0, 10); }
    int api = c->anth || memmem(path, pe - path, "/chat/completions", 17);
    char *m = memmem(c->in + hl, body_end - hl, "\"stream\"", 8); c->stream = 0;
    if (m) { m += 8; while (m < c->in + body_end && (*m == ' ' || *m == ':')) m++; c->stream = *m == 't'; }
    if (!api) { n_bad++; const char *r = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n{\"object\":\"list\",\"data\":[]}"; addout(c, r, strlen(r)); }
    else if (c->delay) { c->waiting = 1; c->idx = 0; c->due = now_ns() + c->delay * 1000000ull; hpush(c); if (c->stream) addout(c, SSE_HDR, strlen(SSE_HDR)); }
    else if (c->stream) { addout(c, SSE_HDR, strlen(SSE_HDR)); for (int i = 0; !emit(c, i); i++); }
    else if (c->anth) addout(c, JSON_ANT, LANT); else addout(c, JSON_OAI, LOAI);
    memmove(c->in, c->in + body_end, c->inlen - body_end); c->inlen -= body_end;
  }
  return flush(c);
}
static void onsig(int s) { (void)s; stop_flag = 1; }
int main(int ac, char **av) {
  int port = 9100; for (int o; (o = getopt(ac, av, "p:")) != -1;) if (o == 'p') port = atoi(optarg);
  struct rlimit rl = {65536, 65536}; setrlimit(RLIMIT_NOFILE, &rl);
  signal(SIGTERM, onsig); signal(SIGINT, onsig); init_bodies();
  int ls = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1; setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(ls, (void *)&a, sizeof a) || listen(ls, 4096)) { perror("bind"); return 1; }
  ep = epoll_create1(0); struct epoll_event le = {EPOLLIN, {.ptr = 0}}; epoll_ctl(ep, EPOLL_CTL_ADD, ls, &le);
  struct epoll_event ev[512];
  while (!stop_flag) {
    struct timespec ts, *tp = 0;
    if (heap_n) { int64_t d = heap[0]->due - now_ns(); if (d < 0) d = 0; ts.tv_sec = d / 1000000000; ts.tv_nsec = d % 1000000000; tp = &ts; }
    int n = epoll_pwait2(ep, ev, 512, tp, 0);
    for (int i = 0; i < n; i++) {
      conn *c = ev[i].data.ptr;
      if (!c) { for (int fd; (fd = accept4(ls, 0, 0, SOCK_NONBLOCK)) >= 0;) { setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); c = calloc(1, sizeof *c); c->fd = fd; c->heap_i = -1; c->incap = 8192; c->in = malloc(8192); struct epoll_event e = {EPOLLIN, {.ptr = c}}; epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e); } continue; }
      int bad = 0;
      if (ev[i].events & (EPOLLHUP | EPOLLERR)) bad = 1;
      if (!bad && ev[i].events & EPOLLOUT) bad = flush(c) < 0;
      if (!bad && ev[i].events & EPOLLIN) {
        if (c->incap - c->inlen < 4096) { c->incap *= 2; c->in = realloc(c->in, c->incap); }
        ssize_t r = recv(c->fd, c->in + c->inlen, c->incap - c->inlen, 0);
        if (r == 0 || (r < 0 && errno != EAGAIN)) bad = 1;
        else if (r > 0) { c->inlen += r; bad = process(c) < 0; }
      }
      if (bad) cclose(c);
    }
    uint64_t t = now_ns();
    while (heap_n && heap[0]->due <= t) {
      conn *c = heap[0]; int end;
      if (c->stream) { end = emit(c, c->idx++); } else { if (c->anth) addout(c, JSON_ANT, LANT); else addout(c, JSON_OAI, LOAI); end = 1; }
      if (end) { hdel(c); c->waiting = 0; } else { c->due += c->delay * 1000000ull; down(0); }
      if (flush(c) < 0 || (end && c->inlen && process(c) < 0)) cclose(c);
    }
  }
  fprintf(stderr, "mock: %llu requests, %llu non-api\n", (unsigned long long)n_req, (unsigned long long)n_bad);
}
