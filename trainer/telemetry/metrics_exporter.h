#pragma once

#include <functional>
#include <memory>
#include <string>

namespace entune {

/// Serves a page at http://BIND:PORT/metrics, for Prometheus, on threads of its own. Signals are left to the program's
/// other threads. A rank that is stuck in a collective still answers.
class MetricsExporter {
 public:
  /// Listens at once. `bind`: a name or an address of this machine. `port`: 0: any free one. `page` is called for each
  /// request, on one of the threads. Throws std::runtime_error if nothing can listen there: another process does, say.
  MetricsExporter(const std::string& bind, int port, std::function<std::string()> page);
  /// Returns once no request is being answered.
  ~MetricsExporter();
  MetricsExporter(const MetricsExporter&) = delete;
  MetricsExporter& operator=(const MetricsExporter&) = delete;

  int port() const { return port_; }

 private:
  class Server;

  std::unique_ptr<Server> server_;
  int port_ = 0;
};

}  // namespace entune
