// load: a closed-loop HTTP/1.1 load client on epoll, one thread, keep-alive, for JSON and SSE answers.
//   gcc -O2 -o load load.c -lm
//   ./load -h 127.0.0.1 -p 8000 -u /v1/chat/completions -c 64 -t 5 -w 1 -b body.json -H 'Authorization: Bearer x'
// -c connections, -t measured seconds, -w warm-up seconds (not counted);
// -n N: send exactly N requests and wait for all of them (no warm-up; -t is then only a ceiling).
// Prints one JSON line: rps, errors, ttfb and total latency percentiles (us), and, when the stream carries
// "@<19 digit CLOCK_MONOTONIC ns>" marks (mock), the transit time of each event mock -> client.
// Only loopback addresses are accepted.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
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

typedef struct { float *v; size_t n, cap; } vec;
static void push(vec *a, float x) { if (a->n == a->cap) { a->cap = a->cap ? a->cap * 2 : 4096; a->v = realloc(a->v, a->cap * sizeof(float)); } a->v[a->n++] = x; }
static int cmpf(const void *a, const void *b) { float x = *(float *)a, y = *(float *)b; return x < y ? -1 : x > y; }
static double pct(vec *a, double p) { if (!a->n) return 0; size_t i = (size_t)(p * (a->n - 1) + 0.5); return a->v[i]; }
typedef struct { int fd, hdr, status, chunked, sse, first, closing; long clen; size_t sent; char buf[65536]; size_t len; uint64_t t0; char tail[8]; int ntail; int nmark; } conn;
static uint64_t now_ns(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec; }
static char *req; static size_t reqlen; static struct sockaddr_in sa; static int ep;
static vec ttfb, total, transit; static uint64_t t_start, t_end, done, errs, status_bad, bytes, marks, badconn, lim, short_sse; static int expect_marks; static int running = 1; static uint64_t issued, inflight;

static void send_req(conn *c) {
  if (lim) { if (issued >= lim) return; issued++; inflight++; }
  c->hdr = 1; c->len = 0; c->first = 0; c->ntail = 0; c->chunked = 0; c->clen = -1; c->sse = 0; c->closing = 0; c->nmark = 0; c->sent = 0;
  c->t0 = now_ns();
  ssize_t w = send(c->fd, req, reqlen, MSG_NOSIGNAL); c->sent = w > 0 ? w : 0;
  if (c->sent < reqlen) { struct epoll_event e = {EPOLLIN | EPOLLOUT, {.ptr = c}}; epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e); }
}
static int copen(conn *c) {
  c->fd = socket(AF_INET, SOCK_STREAM, 0); int one = 1; setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(c->fd, (void *)&sa, sizeof sa)) { close(c->fd); c->fd = -1; return -1; }
  struct epoll_event e = {EPOLLIN, {.ptr = c}}; epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e); return 0;
}
static void finish(conn *c, int ok) {
  uint64_t t = now_ns();
  if (lim) inflight--;
  if (t >= t_start && t <= t_end && running) {
    if (!ok) errs++; else if (c->status != 200) { status_bad++; if (status_bad == 1) fprintf(stderr, "status %d: %.300s\n", c->status, c->buf); }
    else { done++; push(&total, (t - c->t0) / 1000.0f); if (expect_marks && c->nmark < expect_marks) short_sse++; }
  }
  if (lim && !inflight && issued >= lim) { t_end = t; running = 0; return; }
  if (t > t_end) { running = 0; return; }
  if (!ok || c->closing) { close(c->fd); if (copen(c)) { badconn++; return; } }
  if (running) send_req(c);
}
static void body(conn *c, char *p, size_t n) {
  if (!n) return;
  uint64_t t = now_ns();
  if (!c->first) { c->first = 1; if (t >= t_start && t <= t_end && c->status == 200) push(&ttfb, (t - c->t0) / 1000.0f); }
  if (c->sse || c->chunked) {
    for (char *q = p, *e = p + n; (q = memchr(q, '@', e - q)); q++) {
      if (e - q >= 20) { char d[20]; memcpy(d, q + 1, 19); d[19] = 0; char *x; uint64_t s = strtoull(d, &x, 10); if (*x == 0 && x == d + 19) { c->nmark++; if (t >= t_start && t <= t_end) { marks++; push(&transit, ((int64_t)(t - s)) / 1000.0f); } } }
    }
  }
  bytes += n;
}
static int feed(conn *c, char *p, size_t n) { // returns 1 when the answer is complete
  if (c->hdr) {
    if (c->len + n > sizeof c->buf - 1) n = sizeof c->buf - 1 - c->len;
    memcpy(c->buf + c->len, p, n); c->len += n; c->buf[c->len] = 0;
    char *he = memmem(c->buf, c->len, "\r\n\r\n", 4); if (!he) return 0;
    c->hdr = 0; c->status = atoi(c->buf + 9);
    for (char *q = strchr(c->buf, '\n'); q && q < he; q = strchr(q, '\n')) { q++;
      if (!strncasecmp(q, "content-length:", 15)) c->clen = atol(q + 15);
      else if (!strncasecmp(q, "transfer-encoding:", 18) && strcasestr(q, "chunked")) c->chunked = 1;
      else if (!strncasecmp(q, "content-type: text/event-stream", 31)) c->sse = 1;
      else if (!strncasecmp(q, "connection: close", 17)) c->closing = 1; }
    if (c->chunked) c->clen = -1;
    p = he + 4; n = c->buf + c->len - p;
  }
  body(c, p, n);
  if (c->chunked) { // a complete chunked answer ends in CRLF 0 CRLF CRLF
    if (n >= 7) { memcpy(c->tail, p + n - 7, 7); c->ntail = 7; }
    else { int k = c->ntail + n > 7 ? c->ntail + (int)n - 7 : 0; memmove(c->tail, c->tail + k, c->ntail - k); c->ntail -= k; memcpy(c->tail + c->ntail, p, n); c->ntail += n; }
    return (c->ntail == 7 && !memcmp(c->tail, "\r\n0\r\n\r\n", 7)) || (c->ntail == 5 && !memcmp(c->tail, "0\r\n\r\n", 5));
  }
  if (c->clen >= 0) { c->clen -= n; return c->clen <= 0; }
  return 0;
}
int main(int ac, char **av) {
  char *host = "127.0.0.1", *path = "/v1/chat/completions", *bf = 0; char hdrs[4096] = ""; int port = 0, conc = 1; double dur = 5, warm = 1;
  for (int o; (o = getopt(ac, av, "h:p:u:c:t:w:n:b:H:m:")) != -1;) switch (o) {
    case 'h': host = optarg; break; case 'p': port = atoi(optarg); break; case 'u': path = optarg; break; case 'c': conc = atoi(optarg); break;
    case 't': dur = atof(optarg); break; case 'w': warm = atof(optarg); break; case 'n': lim = atol(optarg); break; case 'b': bf = optarg; break;
    case 'm': expect_marks = atoi(optarg); break; case 'H': strcat(hdrs, optarg); strcat(hdrs, "\r\n"); break; }
  if (strncmp(host, "127.", 4) || !port || dur > 120) { fprintf(stderr, "loopback only, -p needed, -t at most 120\n"); return 2; }
  static char b[1 << 22]; size_t bl = 0; if (bf) { FILE *f = fopen(bf, "r"); if (!f) { perror(bf); return 2; } bl = fread(b, 1, sizeof b, f); fclose(f); }
  req = malloc(bl + 8192); reqlen = sprintf(req, "POST %s HTTP/1.1\r\nHost: %s:%d\r\nUser-Agent: farebox-bench\r\nAccept: */*\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n", path, host, port, hdrs, bl); memcpy(req + reqlen, b, bl); reqlen += bl;
  sa.sin_family = AF_INET; sa.sin_port = htons(port); inet_pton(AF_INET, host, &sa.sin_addr);
  struct rlimit rl = {65536, 65536}; setrlimit(RLIMIT_NOFILE, &rl);
  ep = epoll_create1(0); conn *cs = calloc(conc, sizeof *cs);
  if (lim) warm = 0;
  uint64_t t0 = now_ns(); t_start = t0 + (uint64_t)(warm * 1e9); t_end = t_start + (uint64_t)(dur * 1e9);
  for (int i = 0; i < conc; i++) { if (copen(&cs[i])) { perror("connect"); return 1; } send_req(&cs[i]); }
  struct epoll_event ev[256]; static char rb[1 << 18]; uint64_t hard = t_end + 3000000000ull;
  while (running && now_ns() < hard) {
    int n = epoll_wait(ep, ev, 256, 100);
    if (now_ns() > t_end) break;
    for (int i = 0; i < n && running; i++) { conn *c = ev[i].data.ptr;
      if (ev[i].events & EPOLLOUT && c->sent < reqlen) { ssize_t w = send(c->fd, req + c->sent, reqlen - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT); if (w > 0) c->sent += w; if (c->sent == reqlen) { struct epoll_event e = {EPOLLIN, {.ptr = c}}; epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e); } if (!(ev[i].events & EPOLLIN)) continue; }
      ssize_t r = recv(c->fd, rb, sizeof rb, MSG_DONTWAIT);
      if (r < 0 && errno == EAGAIN) continue;
      if (r <= 0) { finish(c, r == 0 && !c->hdr && c->clen < 0 && !c->chunked ? (c->closing = 1, 1) : 0); continue; }
      if (feed(c, rb, r)) finish(c, 1);
    }
  }
  uint64_t te = now_ns(); if (te > t_end) te = t_end; double el = (te - t_start) / 1e9;
  qsort(ttfb.v, ttfb.n, 4, cmpf); qsort(total.v, total.n, 4, cmpf); qsort(transit.v, transit.n, 4, cmpf);
  printf("{\"done\":%lu,\"sec\":%.3f,\"rps\":%.1f,\"errors\":%lu,\"non200\":%lu,\"short\":%lu,\"mb_s\":%.2f,\"ttfb_p50\":%.1f,\"ttfb_p99\":%.1f,\"total_p50\":%.1f,\"total_p90\":%.1f,\"total_p99\":%.1f,\"total_max\":%.1f,\"marks\":%lu,\"transit_p50\":%.1f,\"transit_p99\":%.1f,\"transit_max\":%.1f}\n",
    done, el, done / el, errs + badconn, status_bad, short_sse, bytes / 1e6 / (el + warm), pct(&ttfb, .5), pct(&ttfb, .99), pct(&total, .5), pct(&total, .9), pct(&total, .99), pct(&total, 1), marks, pct(&transit, .5), pct(&transit, .99), pct(&transit, 1));
  return 0;
}
