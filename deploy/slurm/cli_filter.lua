-- Asks sizewise about each batch job before it is submitted: what the user leaves out is filled in, what is asked for in
-- vain is told. Never rejects, and submits as it is when there is no answer within a second.
-- slurm.conf: CliFilterPlugins=lua; this file lies beside it. Runs as the user, in sbatch, srun and salloc.
local url = os.getenv("SIZEWISE_URL") or "http://127.0.0.1:8080"
local token = os.getenv("SIZEWISE_TOKEN")
local cluster = os.getenv("SIZEWISE_CLUSTER") or os.getenv("SLURM_CLUSTER_NAME") or ""

local function shell(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function json(text)
  return '"' .. text:gsub('[%c"\\]', function(c) return string.format("\\u%04x", c:byte()) end) .. '"'
end

-- Megabytes of "4G", "512M" or "512", which Slurm takes for megabytes; the text itself where it is none of these.
local function megabytes(text)
  local number, unit = tostring(text or ""):match("^(%d+)([KMGT]?)B?$")
  local scale = { K = 1 / 1024, [""] = 1, M = 1, G = 1024, T = 1024 * 1024 }
  return number and math.ceil(number * scale[unit]) or text
end

-- Slurm keeps --gres=gpu:1 as "gres:gpu:1".
local function plain(option) return (tostring(option or ""):gsub("^gres:", "")) end

local function job(options)
  local parts = {
    '"cluster":' .. json(cluster), '"namespace":' .. json(options["account"] or ""), '"kind":"slurm-job"',
    '"name":' .. json(options["job-name"] or ""), '"container":"batch"', '"owner":' .. json(os.getenv("USER") or ""),
  }
  local memory, cpus = megabytes(options["mem"]), tonumber(options["cpus-per-task"])
  if type(memory) == "number" then parts[#parts + 1] = string.format('"memory_bytes":%d', memory * 1024 * 1024) end
  if cpus and cpus > 0 then parts[#parts + 1] = string.format('"cpu_cores":%d', cpus) end
  local gpus = plain(options["gres"]):match("^gpu:?[^:]*:(%d+)$")
  if gpus then parts[#parts + 1] = '"gpus":' .. gpus end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function ask(body)
  -- from standard input, as anyone on the machine may read the arguments of a process
  local head = token and "printf 'Authorization: Bearer %s' \"$SIZEWISE_TOKEN\" | " or ""
  local pipe = io.popen(head .. "curl -sf -m 1 -H 'Content-Type: application/json'" .. (token and " -H @-" or "") .. " -d " .. shell(body)
    .. " " .. shell(url .. "/v1/recommend?format=slurm") .. " 2>/dev/null")
  local told = {}
  for line in pipe and pipe:lines() or function() end do
    local key, value = line:match("^#SBATCH %-%-([%w-]+)=(%S+)$")
    if key then told[key] = value end
  end
  if pipe then pipe:close() end
  return told
end

function slurm_cli_setup_defaults(options, early_pass) return slurm.SUCCESS end

function slurm_cli_pre_submit(options, pack_offset)
  if options["type"] ~= "sbatch" or not options["job-name"] then return slurm.SUCCESS end
  for key, value in pairs(ask(job(options))) do
    local asked = plain(options[key])
    if key == "gres" and not value:find("%d+g%.") then
      -- a whole GPU is what the user asked for, maybe by another name
    elseif asked == "" or asked == "0" or asked == "-2" then -- how versions of Slurm say that nothing was asked for
      options[key] = value
      slurm.log_info("sizewise: --%s=%s, as this job needs it", key, value)
    elseif asked ~= value and megabytes(asked) ~= megabytes(value) then
      slurm.log_info("sizewise: --%s=%s is asked for, this job needs --%s=%s", key, asked, key, value)
    end
  end
  return slurm.SUCCESS
end

function slurm_cli_post_submit(pack_offset, job_id, step_id) return slurm.SUCCESS end
