-- How Argo CD sees Drover's objects: one script for every kind (docs/gitops.md says where it goes).
-- It goes by conditions, as kstatus does, and by nothing else where they say enough.
local function is_true(conditions, kind)
  local condition = conditions[kind]
  return condition ~= nil and condition.status == "True"
end

local function says(condition, otherwise)
  if condition == nil then return otherwise end
  local message = condition.message
  if message == nil or message == "" then message = condition.reason end
  return message or otherwise
end

local function health(status, message)
  return { status = status, message = message }
end

local metadata = obj.metadata or {}
local status = obj.status or {}

if metadata.deletionTimestamp ~= nil then
  return health("Progressing", "it is being deleted")
end

-- A machine's journal has no conditions; the run that owns it sums it up.
if obj.kind == "MachineRun" then
  for _, step in ipairs({ "synchronize", "leave", "enter", "withdraw", "commit", "return", "reverse", "cleanUp" }) do
    local record = status[step]
    if record ~= nil and record.state == "Failed" then
      return health("Degraded", step .. ": " .. (record.error or "failed"))
    end
  end
  return health("Healthy", "see the run")
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local ready = conditions["Ready"]

if ready == nil then
  return health("Progressing", "Drover has not looked at it yet")
end
-- What is said of an older declaration is not said of this one.
if metadata.generation ~= nil then
  local observed = ready.observedGeneration or status.observedGeneration
  if observed ~= nil and observed < metadata.generation then
    return health("Progressing", "Drover has not looked at its newest declaration yet")
  end
end
-- Conflicted and RPOExceeded: something is wrong although what was declared is reached.
for _, kind in ipairs({ "Stalled", "Conflicted", "RPOExceeded" }) do
  if is_true(conditions, kind) then
    return health("Degraded", says(conditions[kind], kind))
  end
end
if obj.kind == "RecoveryDrill" and status.result == "Failed" then
  return health("Degraded", "the drill failed: " .. says(ready, "see its run"))
end
-- A person's word is awaited: no work goes on, and nothing is wrong.
local phase = status.phase
if is_true(conditions, "CommitPending") or phase == "CommitPending" or phase == "AwaitingCompleteSync"
    or phase == "NotProtected" or ready.reason == "AwaitingCompleteSync" or ready.reason == "AwaitingReprotect" then
  return health("Suspended", says(ready, "a person's word is awaited"))
end
-- Nothing begins because a person said so; what is under way goes on.
if is_true(conditions, "Suspended") and not is_true(conditions, "Reconciling") then
  return health("Suspended", says(conditions["Suspended"], "suspended"))
end
if is_true(conditions, "Reconciling") then
  return health("Progressing", says(conditions["Reconciling"], "work goes on"))
end
if ready.status == "True" then
  return health("Healthy", says(ready, "as declared"))
end
if ready.status == "False" then
  return health("Degraded", says(ready, "not as declared"))
end
return health("Progressing", says(ready, "it is not known yet"))
