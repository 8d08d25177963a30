#include "trainer/telemetry/metrics_exporter.h"

#include <fmt/format.h>
#include <httplib.h>

#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>

#include "trainer/telemetry/signals_elsewhere.h"

// Not prometheus::Exposer: its threads have stacks of 100 KiB, less than the thread-local storage of a program with
// CUDA's libraries, and none of them can start.
namespace entune {
namespace {

constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

// Without the library's SO_REUSEPORT, by which two processes would share one port unknowingly.
void let_port_be_used_again(int socket) {
  const int yes = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

}  // namespace

class MetricsExporter::Server {
 public:
  explicit Server(std::function<std::string()> page) {
    http_.set_socket_options(let_port_be_used_again);
    http_.new_task_queue = [] { return new httplib::ThreadPool(1); };
    http_.set_keep_alive_max_count(1);  // or one idle connection would hold the only worker
    http_.Get("/metrics", [page = std::move(page)](const httplib::Request&, httplib::Response& response) {
      response.set_content(page(), kContentType);
    });
  }
  ~Server() {
    http_.stop();
    if (thread_.joinable()) thread_.join();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int listen(const std::string& bind, int port) {
    const int bound = port == 0                                         ? http_.bind_to_any_port(bind)
                      : port <= 65535 && http_.bind_to_port(bind, port) ? port
                                                                        : -1;
    if (bound < 0) {
      throw std::runtime_error(
          fmt::format("cannot listen on {}, port {}: in use, or no address of this machine", bind, port));
    }
    const SignalsElsewhere signals;
    thread_ = std::thread([this] { http_.listen_after_bind(); });
    // A server that does not run yet cannot be stopped.
    while (!http_.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return bound;
  }

 private:
  httplib::Server http_;
  std::thread thread_;
};

MetricsExporter::MetricsExporter(const std::string& bind, int port, std::function<std::string()> page)
    : server_(std::make_unique<Server>(std::move(page))) {
  port_ = server_->listen(bind, port);
}

MetricsExporter::~MetricsExporter() = default;

}  // namespace entune
