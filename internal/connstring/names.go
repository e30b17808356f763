package connstring

import "strings"

// names are the parameters of one kind of address.
type names struct {
	known   []string // by the driver; PostgreSQL's server knows more
	foreign []string // for other programs: without effect here, so they are left out
	ssl     string   // the name for ssl=true here; empty: that is known as it is
	written string   // its value, behind the name
}

// secrets are parameters that must not be seen.
var secrets = []string{"password", "sslpassword", "sentinel_password", "passfile"}

var postgresNames = names{
	known: strings.Fields(`host port dbname database user password passfile connect_timeout application_name options
		client_encoding timezone search_path sslmode sslkey sslcert sslcertmode sslrootcert sslnegotiation sslpassword sslsni
		krbspn krbsrvname target_session_attrs service servicefile min_protocol_version max_protocol_version
		channel_binding require_auth ssl statement_cache_capacity description_cache_capacity default_query_exec_mode
		pool_max_conns pool_min_conns pool_min_idle_conns pool_max_conn_lifetime pool_max_conn_idle_time
		pool_health_check_period pool_max_conn_lifetime_jitter pool_ping_timeout statement_timeout lock_timeout`),
	foreign: strings.Fields(`pgbouncer connection_limit pool_timeout socket_timeout statement_cache_size schema sslaccept
		sslidentity max_idle_connection_lifetime single_use_connections
		gssencmode gsslib gssdelegation keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout
		load_balance_hosts sslcompression sslcrl sslcrldir ssl_min_protocol_version ssl_max_protocol_version requirepeer
		requiressl replication hostaddr fallback_application_name scram_client_key scram_server_key sslkeylogfile
		supa workaround uselibpqcompat pool pool_size max max_overflow pool_recycle pool_pre_ping encoding charset
		reconnect timeout prepared_statements prepared_statement_cache_size checkout_timeout reaping_frequency
		variables min_messages serverVersion currentSchema prepareThreshold preparedStatementCacheQueries
		preferQueryMode reWriteBatchedInserts socketTimeout connectTimeout loginTimeout tcpKeepAlive ApplicationName
		idle_timeout max_lifetime binary_parameters conn_max_age conn_health_checks`),
	ssl: "sslmode", written: "=require",
}

var redisNames = names{
	known: strings.Fields(`cluster addr master_name username password db protocol
		client_name max_retries min_retry_backoff max_retry_backoff dial_timeout read_timeout write_timeout pool_fifo
		pool_size pool_timeout min_idle_conns max_idle_conns max_active_conns max_concurrent_dials pipeline_pool_size
		pipeline_read_buffer_size pipeline_write_buffer_size conn_max_idle_time idle_timeout conn_max_lifetime
		max_conn_age conn_max_lifetime_jitter skip_verify route_by_latency route_randomly replica_only read_only
		context_timeout_enabled dialer_retries dialer_retry_timeout
		route_by_latency_tolerance max_redirects use_disconnected_replicas failing_timeout_seconds ssl tls`),
	foreign: strings.Fields(`ssl_cert_reqs ssl_ca_certs ssl_certfile ssl_keyfile ssl_check_hostname family
		decode_responses encoding health_check_interval socket_timeout socket_connect_timeout socket_keepalive
		retry_on_timeout max_connections prefix namespace key_prefix timeout abortConnect connectTimeout
		enableReadyCheck maxRetriesPerRequest lazyConnect allowUsernameInURI persistent visibility_timeout
		verify_mode pool`),
}
