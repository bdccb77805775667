-- The resolver of instances: a program for Knot Resolver 5 (kresd), run under a user of its own. It forwards to the
-- resolvers of this machine, refuses answers that point into private ranges, answers nobody but instances, and tells
-- the agent each answer, so that rules can name domains and flows have names. Where a rule of the asking project names
-- the domain, the answer waits until the firewall knows the addresses. Without the agent it goes on answering; it knows
-- nothing of other instances. Values come from the table `berth`, written by the file that is loaded before this one.
local ffi = require('ffi')
local bit = require('bit')
local kres = require('kres')

-- How long an answer waits for the firewall, and how long nobody waits after the agent did not answer in time.
local WAIT_MS = 800
local PATIENCE_S = 5
-- New addresses behind named domains that one project may cause: at once, and a second.
local FEED_BURST = 60
local FEED_RATE = 20
-- Waiting stops everybody: what a project's answers waited is taken from what it may cause, twice as fast as it comes back.
local WAIT_COST = 2 * FEED_RATE
-- Told addresses that are remembered, for all projects.
local TOLD_MAX = 20000
-- Nobody is told a longer lifetime: an address leaves the firewall's sets when its answer has run out.
local TTL_MAX = 300
local ADDRESSES_MAX = 32
local EVERY_MS = 1000

log_level('warning')
os.remove(berth.control)
net.listen(berth.control, nil, { kind = 'control' })
net.listen(berth.address4, 53, { kind = 'dns', freebind = true })
net.listen(berth.address6, 53, { kind = 'dns', freebind = true })
cache.open(berth.cacheBytes, 'lmdb://' .. berth.cacheDir)
cache.max_ttl(TTL_MAX)
-- What is forwarded to is trusted as the machine itself trusts it; many of them strip signatures.
trust_anchors.remove('.')
for _, name in ipairs({ 'priming', 'ta_update', 'ta_signal_query', 'ta_sentinel', 'detect_time_skew' }) do
	modules.unload(name)
end
modules.load('rebinding < iterate')
local renumber = require('kres_modules.renumber')
for _, range in ipairs(berth.denied) do
	local any = range:find(':') and '::' or '0.0.0.0'
	table.insert(require('kres_modules.rebinding').blacklist, renumber.prefix(range, any))
end

-- Who asks: the raw address, and its network (/24 or /64) in hexadecimal.
local function hex(bytes)
	return (bytes:gsub('.', function(char) return string.format('%02x', char:byte()) end))
end
local function client(req)
	local addr = req.qsource.addr
	if addr == nil then return nil end
	local raw = ffi.string(addr:ip(), addr:len())
	return raw, hex(raw:sub(1, #raw == 4 and 3 or 8))
end

local ours = {}
for _, range in ipairs(berth.clients) do
	local subnet = ffi.new('char[16]')
	local bits = ffi.C.kr_straddr_subnet(subnet, range)
	table.insert(ours, { family = ffi.C.kr_straddr_family(range), subnet = subnet, bits = bits })
end
local function isOurs(addr)
	for _, range in ipairs(ours) do
		if range.family == addr:family() and ffi.C.kr_bitcmp(range.subnet, addr:ip(), range.bits) == 0 then return true end
	end
	return false
end
policy.add(function(req)
	local addr = req.qsource.addr
	if addr ~= nil and not isOurs(addr) then return policy.NO_ANSWER end
end)

-- Where to ask: what was given, or what this machine's own resolv.conf says now.
local upstream = nil
local upstreamText = ''
local function readUpstream()
	local servers = berth.upstream
	if servers == nil then
		servers = {}
		local file = io.open('/etc/resolv.conf', 'r')
		if file ~= nil then
			for line in file:lines() do
				local server = line:match('^%s*nameserver%s+([%x:.]+)%s*$')
				if server ~= nil and #servers < 3 then table.insert(servers, server) end
			end
			file:close()
		end
	end
	local text = table.concat(servers, ' ')
	if text == upstreamText then return end
	upstreamText = text
	upstream = #servers > 0 and policy.STUB(servers) or nil
	log_warn(ffi.C.LOG_GRP_SYSTEM, 'forwarding to %s', text)
end
policy.add(policy.all(function(state, req)
	if upstream == nil then return policy.REFUSE(state, req) end
	return upstream(state, req)
end))

-- Domains that rules name, by network: lines of `<network> <name>`, after a first line that changes with the rest.
local named = {}
local namedMark = nil
local function readNames()
	local file = io.open(berth.names, 'r')
	if file == nil then return end
	local mark = file:read('*l')
	if mark ~= namedMark then
		local fresh = {}
		for line in file:lines() do
			local network, name = line:match('^(%x+) (%S+)$')
			if network ~= nil then
				fresh[network] = fresh[network] or {}
				fresh[network][name] = true
			end
		end
		named, namedMark = fresh, mark
	end
	file:close()
end
local function isNamed(network, name)
	local names = named[network]
	if names == nil then return false end
	if names[name] then return true end
	local from = name:find('.', 1, true)
	while from ~= nil do
		if names['*' .. name:sub(from)] then return true end
		from = name:find('.', from + 1, true)
	end
	return false
end

-- The way to the agent: a stream socket, lines out, `<number>` lines back for what was waited for.
ffi.cdef([[
	struct berth_unix { unsigned short family; char path[108]; };
	struct berth_poll { int fd; short events; short revents; };
	int berth_socket(int, int, int) __asm__("socket");
	int berth_connect(int, const void *, unsigned) __asm__("connect");
	long berth_send(int, const void *, size_t, int) __asm__("send");
	long berth_recv(int, void *, size_t, int) __asm__("recv");
	int berth_poll_(void *, unsigned long, int) __asm__("poll");
	int berth_close(int) __asm__("close");
	struct berth_time { long seconds; long nanoseconds; };
	int berth_clock(int, struct berth_time *) __asm__("clock_gettime");
]])
local C = ffi.C
local MSG = 0x4040 -- MSG_DONTWAIT, MSG_NOSIGNAL
local now_ = ffi.new('struct berth_time')
local function now()
	C.berth_clock(1, now_)
	return tonumber(now_.seconds) + tonumber(now_.nanoseconds) / 1e9
end
local fd = -1
local said = 0
local heard = 0
local rest = ''
local impatientUntil = 0
-- By network and address: until when the firewall knows it.
local told = {}
local toldCount = 0
local buckets = {}
local buffer = ffi.new('char[4096]')

local function hangUp()
	if fd >= 0 then C.berth_close(fd) end
	fd, rest, told, toldCount = -1, '', {}, 0
end
local function dial()
	if fd >= 0 then return end
	local opened = C.berth_socket(1, 526337, 0) -- AF_UNIX; SOCK_STREAM, SOCK_NONBLOCK, SOCK_CLOEXEC
	if opened < 0 then return end
	local at = ffi.new('struct berth_unix')
	at.family = 1
	ffi.copy(at.path, berth.feed)
	if C.berth_connect(opened, at, 2 + #berth.feed + 1) ~= 0 then
		C.berth_close(opened)
		return
	end
	fd, said, heard = opened, 0, 0
end
-- The agent may have ended since: noticed before a line would be lost.
local function isAlive()
	if fd < 0 then return false end
	local got = tonumber(C.berth_recv(fd, buffer, 1, MSG + 2)) -- MSG_PEEK
	if got > 0 or (got < 0 and ffi.errno() == 11) then return true end
	hangUp()
	return false
end
local function say(line)
	local sent = tonumber(C.berth_send(fd, line, #line, MSG))
	if sent == #line then return true end
	-- A part of a line, or nobody there: begin anew. A full pipe (nothing sent) only loses this line.
	if sent > 0 or ffi.errno() ~= 11 then hangUp() end
	return false
end
local function waitFor(number)
	local until_ = now() + WAIT_MS / 1000
	local poll = ffi.new('struct berth_poll[1]')
	while heard < number do
		local left = math.ceil((until_ - now()) * 1000)
		if left <= 0 or fd < 0 then return false end
		poll[0].fd, poll[0].events = fd, 1
		C.berth_poll_(poll, 1, left)
		local got = tonumber(C.berth_recv(fd, buffer, 4096, MSG))
		if got == 0 then
			hangUp()
			return false
		end
		if got > 0 then
			rest = rest .. ffi.string(buffer, got)
			for done in rest:gmatch('(%d+)\n') do heard = math.max(heard, tonumber(done)) end
			rest = rest:match('[^\n]*$')
		end
	end
	return true
end

local function mayFeed(network)
	local at = now()
	local bucket = buckets[network] or { left = FEED_BURST, at = at }
	bucket.left = math.min(FEED_BURST, bucket.left + (at - bucket.at) * FEED_RATE)
	bucket.at = at
	buckets[network] = bucket
	if bucket.left < 1 then return false end
	bucket.left = bucket.left - 1
	return true
end

local function servfail(_, req)
	policy.REFUSE(nil, req)
	req.answer:rcode(kres.rcode.SERVFAIL)
	return kres.DONE
end

local function addressesOf(req)
	local found = {}
	local ttl = TTL_MAX
	for index = 0, tonumber(req.answ_selected.len) - 1 do
		local entry = req.answ_selected.at[index]
		if entry.to_wire and (entry.rr.type == kres.type.A or entry.rr.type == kres.type.AAAA) then
			for each = 0, entry.rr:rdcount() - 1 do
				local rr = entry.rr:get(each)
				ttl = math.min(ttl, rr.ttl)
				if #found < ADDRESSES_MAX then table.insert(found, hex(rr.rdata)) end
			end
		end
	end
	return found, ttl
end

policy.add(function(req)
	if not isAlive() then dial() end
	if fd < 0 then return nil end
	local from, network = client(req)
	if from == nil then return nil end
	local addresses, ttl = addressesOf(req)
	if #addresses == 0 then return nil end
	local name = kres.dname2str(req.qsource.packet:qname()):lower():gsub('%.$', '')
	if #name > 253 or name:find('[^a-z0-9_.-]') ~= nil then return nil end
	local waits = false
	if isNamed(network, name) then
		local at = now()
		for _, address in ipairs(addresses) do
			if (told[network .. name .. address] or 0) < at + ttl then waits = true end
		end
		if waits and not mayFeed(network) then return servfail end
	end
	said = said + 1
	local line = string.format('%d %d %s %s %d %s\n', said, waits and 1 or 0, hex(from), name, ttl, table.concat(addresses, ','))
	if not say(line) or not waits or now() < impatientUntil then return nil end
	local began = now()
	local done = waitFor(said)
	buckets[network].left = buckets[network].left - (now() - began) * WAIT_COST
	if not done then
		impatientUntil = now() + PATIENCE_S
		return nil
	end
	if toldCount > TOLD_MAX then told, toldCount = {}, 0 end
	for _, address in ipairs(addresses) do
		told[network .. name .. address] = now() + ttl + berth.graceSeconds
		toldCount = toldCount + 1
	end
	return nil
end, true)

readUpstream()
readNames()
dial()
event.recurrent(EVERY_MS, function()
	readUpstream()
	readNames()
	if not isAlive() then dial() end
	if next(buckets) ~= nil then
		local at = now()
		for network, bucket in pairs(buckets) do
			if at - bucket.at > 60 then buckets[network] = nil end
		end
	end
end)
