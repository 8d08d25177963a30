#include "trainer/telemetry/metrics_exporter.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>

namespace entune {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

/// A connection to a port of this machine.
class Connection {
 public:
  explicit Connection(int port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_open_ = connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Connection() { close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool is_open() const { return is_open_; }
  void send(const std::string& bytes) const {
    EXPECT_EQ(write(socket_, bytes.data(), bytes.size()), std::ssize(bytes));
  }
  std::string read_all() const {
    std::string all;
    char piece[4096];
    for (ssize_t n; (n = read(socket_, piece, sizeof piece)) > 0;) all.append(piece, static_cast<std::size_t>(n));
    return all;
  }

 private:
  int socket_;
  bool is_open_ = false;
};

/// What the server says to a GET, headers included.
std::string get(int port, const std::string& path = "/metrics") {
  const Connection connection(port);
  connection.send("GET " + path + " HTTP/1.1\r\nHost: here\r\n\r\n");
  return connection.read_all();
}

TEST(MetricsExporter, ServesThePageOnAPortOfItsOwn) {
  std::atomic<int> asked = 0;
  const MetricsExporter exporter("127.0.0.1", 0, [&] { return "asked " + std::to_string(++asked) + "\n"; });
  EXPECT_GT(exporter.port(), 0);
  const std::string first = get(exporter.port());
  EXPECT_THAT(first, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(first, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_THAT(first, HasSubstr("\r\n\r\nasked 1\n"));
  EXPECT_THAT(get(exporter.port()), HasSubstr("asked 2\n"));
  EXPECT_THAT(get(exporter.port(), "/"), StartsWith("HTTP/1.1 404"));
  EXPECT_EQ(asked, 2);
}

TEST(MetricsExporter, ABusyPortIsAnError) {
  const MetricsExporter exporter("127.0.0.1", 0, [] { return std::string("mine"); });
  try {
    const MetricsExporter second("127.0.0.1", exporter.port(), [] { return std::string("other"); });
    FAIL() << "two exporters share port " << exporter.port();
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("port " + std::to_string(exporter.port())));
  }
  EXPECT_THAT(get(exporter.port()), HasSubstr("mine"));
  EXPECT_THROW(MetricsExporter("192.0.2.1", 0, [] { return std::string(); }), std::runtime_error);
  EXPECT_THROW(MetricsExporter("127.0.0.1", 65536 + exporter.port(), [] { return std::string(); }), std::runtime_error);
}

TEST(MetricsExporter, ThePortIsFreeAfterwards) {
  int port = 0;
  for (int round = 0; round < 20; ++round) {
    const MetricsExporter exporter("127.0.0.1", port, [] { return std::string("page"); });
    port = exporter.port();
    EXPECT_THAT(get(port), HasSubstr("page"));
  }
  EXPECT_FALSE(Connection(port).is_open());
}

TEST(MetricsExporter, AnIdleConnectionDoesNotKeepOthersOut) {
  const MetricsExporter exporter("127.0.0.1", 0, [] { return std::string("page"); });
  const Connection kept(exporter.port());
  kept.send("GET /metrics HTTP/1.1\r\nHost: here\r\nConnection: keep-alive\r\n\r\n");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(get(exporter.port()), HasSubstr("page"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
}

std::atomic<pthread_t> caught_by;

TEST(MetricsExporter, LeavesSignalsToTheProgramsThreads) {
  std::atomic<bool> is_asked = false, go_on = false;
  const MetricsExporter exporter("127.0.0.1", 0, [&] {
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    for (const int signal : {SIGUSR1, SIGTERM, SIGINT}) EXPECT_EQ(sigismember(&blocked, signal), 1) << signal;
    EXPECT_EQ(sigismember(&blocked, SIGSEGV), 0);
    is_asked = true;
    while (!go_on) std::this_thread::yield();
    return std::string("page");
  });
  sigset_t mine;
  pthread_sigmask(SIG_BLOCK, nullptr, &mine);
  EXPECT_EQ(sigismember(&mine, SIGUSR1), 0) << "the caller's own mask is as before";

  std::thread client([&] {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    EXPECT_THAT(get(exporter.port()), HasSubstr("page"));
  });
  while (!is_asked) std::this_thread::yield();
  struct sigaction handler {
  }, before{};
  handler.sa_handler = [](int) { caught_by = pthread_self(); };
  sigaction(SIGUSR1, &handler, &before);
  kill(getpid(), SIGUSR1);
  EXPECT_EQ(caught_by, pthread_self());
  sigaction(SIGUSR1, &before, nullptr);
  go_on = true;
  client.join();
}

}  // namespace
}  // namespace entune
